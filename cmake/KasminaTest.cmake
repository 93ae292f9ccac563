# kasmina_test(NAME SOURCES … [LINK …] [LABELS …] [TIMEOUT s]): a Criterion program, run by ctest. Under the thread
# sanitizer only those labelled `threads` are there, with a stand-in for Criterion (tests/plain).
# Tests that read the shared data take its folder from KASMINA_SHARED and skip loudly where it is not there.
set(KASMINA_SHARED "${CMAKE_SOURCE_DIR}/../shared" CACHE PATH "Folder with shared test data (may be absent)")
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

if(KASMINA_SANITIZE MATCHES "thread")
  set(KASMINA_ONLY_THREADS ON)
  set(KASMINA_CRITERION plain_criterion)
else()
  set(KASMINA_ONLY_THREADS OFF)
  set(KASMINA_CRITERION PkgConfig::CRITERION)
endif()

# OpenCL drivers give threads a signal stack of their own, which the address sanitizer would take for its own and unmap.
set(KASMINA_ASAN_OPTIONS use_sigaltstack=0)

# Vulkan's validation layer, where it is installed: what it objects to is a failure (backends/vulkan/instance.c).
find_file(KASMINA_VULKAN_LAYER VkLayer_khronos_validation.json PATHS /usr/share/vulkan/explicit_layer.d
  /etc/vulkan/explicit_layer.d NO_DEFAULT_PATH)
set(KASMINA_VULKAN_VALIDATION 0)
if(KASMINA_VULKAN_LAYER)
  set(KASMINA_VULKAN_VALIDATION 1)
else()
  message(STATUS "Vulkan: the validation layer was not found; tests run without it")
endif()

function(kasmina_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} ${KASMINA_CRITERION})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  if(KASMINA_ONLY_THREADS AND NOT "threads" IN_LIST ARG_LABELS)
    set_target_properties(test_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME ${name} COMMAND test_${name} --jobs 1)
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "KASMINA_SHARED=${KASMINA_SHARED};KASMINA_VULKAN_VALIDATION=${KASMINA_VULKAN_VALIDATION};ASAN_OPTIONS=${KASMINA_ASAN_OPTIONS}")
endfunction()
