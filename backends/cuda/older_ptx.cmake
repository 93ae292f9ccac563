# cmake -DFROM=… -DTO=… -DVERSION=… -DPTXAS=… -DARCHITECTURE=… -P older_ptx.cmake: declares PTX to be of an older version
# of the language, so that drivers older than the compiler take it, and has the assembler check that it is.
file(READ "${FROM}" text)
string(REGEX REPLACE "\n\\.version [0-9.]+\n" "\n.version ${VERSION}\n" text "${text}")
file(WRITE "${TO}" "${text}")
execute_process(COMMAND "${PTXAS}" -arch=${ARCHITECTURE} "${TO}" -o "${TO}.checked" RESULT_VARIABLE result
                ERROR_VARIABLE complaint)
file(REMOVE "${TO}.checked")
if(NOT result EQUAL 0)
  file(REMOVE "${TO}")
  message(FATAL_ERROR "${FROM} is not PTX ${VERSION}: ${complaint}")
endif()
