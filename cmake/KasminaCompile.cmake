# Flags for every target, and the one function that makes a room's library.

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wpointer-arith -Wstrict-prototypes
                    -Wmissing-prototypes -Wvla -Werror -fno-strict-aliasing -ffp-contract=off)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # a guess that is wrong wherever a status says whether the value was set
  add_compile_options(-Wno-maybe-uninitialized)
endif()
add_compile_definitions(_GNU_SOURCE)
if(KASMINA_SANITIZE)
  add_compile_options(-fsanitize=${KASMINA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KASMINA_SANITIZE})
endif()
if(KASMINA_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
string(APPEND CMAKE_C_FLAGS_RELWITHDEBINFO " -O2")
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

# kasmina_library(NAME SOURCES … [LINK …])
function(kasmina_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()
