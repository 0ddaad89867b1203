; Keys of the outermost object, and of the objects that are its values.
(document (object (pair key: (string (string_content) @name)) @definition.key))
(document
  (object
    (pair value: (object (pair key: (string (string_content) @name)) @definition.key))))
