# One INTERFACE target carries the warnings and sanitizers; every target of ours links it PRIVATE.
add_library(levin_warnings INTERFACE)
target_compile_options(levin_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${LEVIN_WERROR}>>:-Werror>)
if(LEVIN_SANITIZE)
  target_compile_options(levin_warnings INTERFACE -fsanitize=${LEVIN_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(levin_warnings INTERFACE -fsanitize=${LEVIN_SANITIZE})
endif()
