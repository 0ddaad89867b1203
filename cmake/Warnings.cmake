# One INTERFACE target carries the warnings and sanitizers; every target of ours links it PRIVATE.
add_library(levin_warnings INTERFACE)
target_compile_options(levin_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${LEVIN_WERROR}>>:-Werror>)
# GCC 12 sees overlapping copies where a literal is added to a temporary string (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(levin_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(LEVIN_SANITIZE)
  target_compile_options(levin_warnings INTERFACE -fsanitize=${LEVIN_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(levin_warnings INTERFACE -fsanitize=${LEVIN_SANITIZE})
endif()
