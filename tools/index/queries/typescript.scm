(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(class_declaration name: (type_identifier) @name) @definition.class
(method_definition name: (property_identifier) @name) @definition.method
(program
  (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(program
  (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(export_statement
  declaration: (lexical_declaration
    (variable_declarator name: (identifier) @name)) @definition.variable)
(lexical_declaration
  (variable_declarator name: (identifier) @name value: (arrow_function))) @definition.function
(lexical_declaration
  (variable_declarator name: (identifier) @name value: (function_expression))) @definition.function
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: (function_expression)) @definition.function
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: (arrow_function)) @definition.function
(pair key: (property_identifier) @name value: (function_expression)) @definition.method
(pair key: (property_identifier) @name value: (arrow_function)) @definition.method

(call_expression function: (identifier) @reference)
(call_expression function: (member_expression property: (property_identifier) @reference.member))
(new_expression constructor: (identifier) @reference)
(new_expression constructor: (member_expression property: (property_identifier) @reference))
(import_specifier name: (identifier) @reference)
(import_clause (identifier) @reference)
(identifier) @reference.constant
(abstract_class_declaration name: (type_identifier) @name) @definition.class
(interface_declaration name: (type_identifier) @name) @definition.interface
(type_alias_declaration name: (type_identifier) @name) @definition.type
(enum_declaration name: (identifier) @name) @definition.enum
(internal_module name: (identifier) @name) @definition.namespace
(function_signature name: (identifier) @name) @definition.declaration
(method_signature name: (property_identifier) @name) @definition.declaration
(abstract_method_signature name: (property_identifier) @name) @definition.declaration
(public_field_definition
  name: (property_identifier) @name value: (arrow_function)) @definition.method

(class_heritage (extends_clause value: (identifier) @reference))
(type_identifier) @reference.type
