# The repository index needs tree-sitter, SQLite and the grammars of cmake/grammars/package.json, whose
# C sources `./dev` fetches to LEVIN_GRAMMARS. Where something is missing, one line says what and the
# index is left out: LEVIN_HAVE_INDEX is OFF. LEVIN_INDEX=ON turns absence into an error.
set(LEVIN_INDEX AUTO CACHE STRING "Repository index: AUTO (when its parts are found), ON, OFF")
set(LEVIN_GRAMMARS ${PROJECT_SOURCE_DIR}/build/grammars/node_modules CACHE PATH
  "Folder that holds the tree-sitter grammar packages")

# Folders below LEVIN_GRAMMARS that hold a parser.c.
set(grammar_folders
  tree-sitter-bash/src tree-sitter-c/src tree-sitter-cpp/src tree-sitter-css/src tree-sitter-go/src
  tree-sitter-html/src tree-sitter-java/src tree-sitter-javascript/src tree-sitter-json/src
  tree-sitter-python/src tree-sitter-rust/src tree-sitter-typescript/typescript/src
  tree-sitter-typescript/tsx/src)

set(LEVIN_HAVE_INDEX OFF)
set(index_missing)
if(NOT LEVIN_INDEX STREQUAL "OFF")
  pkg_check_modules(TREE_SITTER QUIET IMPORTED_TARGET tree-sitter)
  pkg_check_modules(SQLITE QUIET IMPORTED_TARGET sqlite3)
  if(NOT TREE_SITTER_FOUND)
    list(APPEND index_missing "tree-sitter (libtree-sitter-dev)")
  endif()
  if(NOT SQLITE_FOUND)
    list(APPEND index_missing "SQLite (libsqlite3-dev)")
  endif()
  foreach(folder IN LISTS grammar_folders)
    if(NOT EXISTS ${LEVIN_GRAMMARS}/${folder}/parser.c)
      list(APPEND index_missing "grammars in ${LEVIN_GRAMMARS} (./dev build fetches them)")
      break()
    endif()
  endforeach()
endif()

if(LEVIN_INDEX STREQUAL "OFF")
  message(STATUS "Repository index: switched off")
elseif(index_missing)
  list(JOIN index_missing ", " index_missing)
  if(LEVIN_INDEX STREQUAL "ON")
    message(FATAL_ERROR "LEVIN_INDEX=ON, but there is no ${index_missing}")
  endif()
  message(STATUS "Repository index: left out, there is no ${index_missing}")
else()
  set(LEVIN_HAVE_INDEX ON)
  message(STATUS "Repository index: tree-sitter ${TREE_SITTER_VERSION}, SQLite ${SQLITE_VERSION}")
  enable_language(C)
  set(grammar_sources)
  foreach(folder IN LISTS grammar_folders)
    list(APPEND grammar_sources ${LEVIN_GRAMMARS}/${folder}/parser.c)
    if(EXISTS ${LEVIN_GRAMMARS}/${folder}/scanner.c)
      list(APPEND grammar_sources ${LEVIN_GRAMMARS}/${folder}/scanner.c)
    endif()
  endforeach()
  # Not our code: no warnings. Optimised in every preset: the tables dwarf the code.
  add_library(levin_grammars STATIC ${grammar_sources})
  target_compile_options(levin_grammars PRIVATE -w -O2)
  target_include_directories(levin_grammars PRIVATE ${LEVIN_GRAMMARS}/tree-sitter-typescript/tsx/src)
endif()
