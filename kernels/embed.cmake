# cmake -DROOT=… -DOUT=… -DFROM=folder -DSUFFIX=.k -DKERNELS=a,b,… -DHEADER=… -DID=prefix -P embed.cmake: writes a C file
# with the text of each FROM/NAME.k, all that it includes pasted in, as compilers that see no files want it. HEADER
# declares the table ID + S, the enumerators ID_NAME and ID_COUNT, and the function <id>_source that is written.

function(paste out text)
  string(REGEX MATCH "#include \"([^\"\n]+)\"" line "${text}")
  while(line)
    file(READ "${ROOT}/${CMAKE_MATCH_1}" included)
    string(REPLACE "${line}" "${included}" text "${text}")
    string(REGEX MATCH "#include \"([^\"\n]+)\"" line "${text}")
  endwhile()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

string(REPLACE "," ";" KERNELS "${KERNELS}")
string(TOLOWER ${ID} id)
set(c "/* Made by kernels/embed.cmake. */\n#include \"${HEADER}\"\n\n")
set(table "")
foreach(kernel IN LISTS KERNELS)
  file(READ "${ROOT}/${FROM}/${kernel}${SUFFIX}" text)
  paste(text "${text}")
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  string(APPEND c "static const char text_${kernel}[] =\n    \"${text}\";\n\n")
endforeach()
string(APPEND c "static const struct {\n    const char *text;\n    size_t length;\n} sources[${ID}_COUNT] = {\n"
                "#define SOURCE(name, ...) [${ID}_##name] = {text_##name, sizeof text_##name - 1},\n"
                "    ${ID}S(SOURCE)\n};\n\n"
                "const char *${id}_source(${id} kernel, size_t *length)\n{\n"
                "    if (length) *length = sources[kernel].length;\n    return sources[kernel].text;\n}\n")
file(WRITE "${OUT}" "${c}")
