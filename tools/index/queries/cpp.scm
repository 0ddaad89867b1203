; Functions: free, in a class, qualified; behind pointers and references; prototypes.
(function_definition
  declarator: (function_declarator declarator: (identifier) @name)) @definition.function
(function_definition
  declarator: (function_declarator declarator: (field_identifier) @name)) @definition.method
(function_definition
  declarator: (function_declarator
    declarator: (qualified_identifier name: (identifier) @name))) @definition.method
(function_definition
  declarator: (function_declarator
    declarator: (qualified_identifier
      name: (qualified_identifier name: (identifier) @name)))) @definition.method
(function_definition
  declarator: (_
    declarator: (function_declarator declarator: (identifier) @name))) @definition.function
(function_definition
  declarator: (_
    declarator: (function_declarator
      declarator: (qualified_identifier name: (identifier) @name)))) @definition.method
(function_definition
  declarator: (reference_declarator
    (function_declarator declarator: (identifier) @name))) @definition.function
(function_definition
  declarator: (reference_declarator
    (function_declarator declarator: (field_identifier) @name))) @definition.method
(function_definition
  declarator: (reference_declarator
    (function_declarator
      declarator: (qualified_identifier name: (identifier) @name)))) @definition.method
(declaration
  declarator: (function_declarator declarator: (identifier) @name)) @definition.declaration
(declaration
  declarator: (_
    declarator: (function_declarator declarator: (identifier) @name))) @definition.declaration
(declaration
  declarator: (reference_declarator
    (function_declarator declarator: (identifier) @name))) @definition.declaration
(field_declaration
  declarator: (function_declarator declarator: (field_identifier) @name)) @definition.declaration
(field_declaration
  declarator: (_
    declarator: (function_declarator
      declarator: (field_identifier) @name))) @definition.declaration
(field_declaration
  declarator: (reference_declarator
    (function_declarator declarator: (field_identifier) @name))) @definition.declaration

(class_specifier name: (type_identifier) @name body: (_)) @definition.class
(struct_specifier name: (type_identifier) @name body: (_)) @definition.struct
(class_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.class
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.struct
(union_specifier name: (type_identifier) @name body: (_)) @definition.union
(enum_specifier name: (type_identifier) @name body: (_)) @definition.enum
(enumerator name: (identifier) @name) @definition.constant
(type_definition declarator: (type_identifier) @name) @definition.type
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type
(namespace_definition name: (namespace_identifier) @name) @definition.namespace
(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name) @definition.macro
(translation_unit
  (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)
(declaration_list
  (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)

(call_expression function: (identifier) @reference)
(call_expression function: (field_expression field: (field_identifier) @reference.member))
(call_expression function: (qualified_identifier name: (identifier) @reference))
(call_expression
  function: (qualified_identifier name: (qualified_identifier name: (identifier) @reference)))
(call_expression function: (template_function name: (identifier) @reference))
(call_expression
  function: (qualified_identifier name: (template_function name: (identifier) @reference)))
(type_identifier) @reference.type
(identifier) @reference.constant
