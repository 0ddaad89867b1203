(class_selector (class_name (identifier) @name)) @definition.selector
(id_selector (id_name) @name) @definition.selector
(keyframes_statement (keyframes_name) @name) @definition.keyframes
(declaration (property_name) @name.custom) @definition.property

(call_expression (function_name) @reference)
(plain_value) @reference
