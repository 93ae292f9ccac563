# kasmina_host_kernels(TARGET PREFIX p [OPTIONS …]): an object library of all kernels as C functions
# <prefix><name>, compiled with these options.
function(kasmina_host_kernels target)
  cmake_parse_arguments(ARG "" "PREFIX" "OPTIONS" ${ARGN})
  set_source_files_properties(${KASMINA_KERNEL_FILES} PROPERTIES LANGUAGE C OBJECT_DEPENDS "${KASMINA_KERNEL_HEADERS}")
  add_library(${target} OBJECT ${KASMINA_KERNEL_FILES})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE KERNEL_PREFIX=${ARG_PREFIX})
  target_compile_options(${target} PRIVATE ${ARG_OPTIONS})
endfunction()

# kasmina_host_mma(TARGET PREFIX p [OPTIONS …]): the same of the tensor-core kernels, whose warps C11 plays
# (kernels/cuda/mma.h).
function(kasmina_host_mma target)
  cmake_parse_arguments(ARG "" "PREFIX" "OPTIONS" ${ARGN})
  set_source_files_properties(${KASMINA_MMA_FILES} PROPERTIES LANGUAGE C OBJECT_DEPENDS "${KASMINA_MMA_HEADERS}")
  add_library(${target} OBJECT ${KASMINA_MMA_FILES})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE KERNEL_PREFIX=${ARG_PREFIX})
  target_compile_options(${target} PRIVATE ${ARG_OPTIONS})
endfunction()
