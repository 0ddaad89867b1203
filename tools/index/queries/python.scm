(class_definition name: (identifier) @name) @definition.class
(module (function_definition name: (identifier) @name) @definition.function)
(module
  (decorated_definition
    definition: (function_definition name: (identifier) @name)) @definition.function)
(module (if_statement (block (function_definition name: (identifier) @name) @definition.function)))
(class_definition
  body: (block (function_definition name: (identifier) @name) @definition.method))
(class_definition
  body: (block
    (decorated_definition
      definition: (function_definition name: (identifier) @name)) @definition.method))
(module
  (expression_statement (assignment left: (identifier) @name)) @definition.variable)
(class_definition
  body: (block
    (expression_statement (assignment left: (identifier) @name)) @definition.field))

(call function: (identifier) @reference)
(call function: (attribute attribute: (identifier) @reference.member))
(decorator (identifier) @reference)
(decorator (attribute attribute: (identifier) @reference))
(class_definition superclasses: (argument_list (identifier) @reference.type))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference)))
(import_from_statement name: (dotted_name (identifier) @reference))
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @reference)))
(type (identifier) @reference.type)
(type (generic_type (identifier) @reference.type))
(except_clause (identifier) @reference.type)
(attribute attribute: (identifier) @reference.constant)
(identifier) @reference.constant
