# levin_embed_text(TARGET FILE SYMBOL): compiles the text of FILE into TARGET as
# `extern const char levin::tools::web::SYMBOL[]`. A change of FILE configures anew.
function(levin_embed_text target file symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  file(READ ${file} text)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${file}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT
    "namespace levin::tools::web {\nextern const char @symbol@[];\nconst char @symbol@[] = R\"levin(@text@)levin\";\n}\n"
    @ONLY)
  target_sources(${target} PRIVATE ${source})
endfunction()
