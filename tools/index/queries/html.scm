(attribute
  (attribute_name) @attribute
  (quoted_attribute_value (attribute_value) @name)
  (#eq? @attribute "id")) @definition.id

(attribute
  (attribute_name) @attribute
  (quoted_attribute_value (attribute_value) @reference.words)
  (#eq? @attribute "class"))
