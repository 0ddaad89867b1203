# cmake -DFROM=folder -DTO=folder -P CopyData.cmake: makes TO hold the files of FROM, without
# CMakeLists.txt. Equal files are left alone; files that FROM no longer has are removed.
cmake_minimum_required(VERSION 3.25)

file(GLOB_RECURSE wanted RELATIVE ${FROM} ${FROM}/*)
list(REMOVE_ITEM wanted CMakeLists.txt)
file(GLOB_RECURSE present RELATIVE ${TO} ${TO}/*)
foreach(name IN LISTS present)
  if(NOT name IN_LIST wanted)
    file(REMOVE ${TO}/${name})
  endif()
endforeach()
foreach(name IN LISTS wanted)
  get_filename_component(folder ${TO}/${name} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  file(COPY_FILE ${FROM}/${name} ${TO}/${name} ONLY_IF_DIFFERENT)
endforeach()
