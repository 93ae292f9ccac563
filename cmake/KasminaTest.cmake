# kasmina_test(NAME SOURCES … [LINK …] [LABELS …] [TIMEOUT s]): a Criterion program, run by ctest.
# Tests that read the shared data take its folder from KASMINA_SHARED and skip loudly where it is not there.
set(KASMINA_SHARED "${CMAKE_SOURCE_DIR}/../shared" CACHE PATH "Folder with shared test data (may be absent)")
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

function(kasmina_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} PkgConfig::CRITERION)
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  add_test(NAME ${name} COMMAND test_${name} --jobs 1)
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "KASMINA_SHARED=${KASMINA_SHARED}")
endfunction()
