(function_definition name: (word) @name) @definition.function
(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program
  (declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable)

(command_name (word) @reference)
(simple_expansion (variable_name) @reference.constant)
(expansion (variable_name) @reference.constant)
