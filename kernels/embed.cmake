# cmake -DROOT=… -DOUT=… -DKERNELS=a,b,… -P embed.cmake: writes a C file with the text of each kernels/NAME.k, all that
# it includes pasted in, as compilers that see no files want it.

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
set(c "/* Made by kernels/embed.cmake. */\n#include \"kernels/kernels.h\"\n\n")
set(table "")
foreach(kernel IN LISTS KERNELS)
  file(READ "${ROOT}/kernels/${kernel}.k" text)
  paste(text "${text}")
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  string(APPEND c "static const char text_${kernel}[] =\n    \"${text}\";\n\n")
endforeach()
string(APPEND c "static const struct {\n    const char *text;\n    size_t length;\n} sources[KAS_KERNEL_COUNT] = {\n"
                "#define SOURCE(name, buffers, args, items) [KAS_KERNEL_##name] = {text_##name, sizeof text_##name - 1},\n"
                "    KAS_KERNELS(SOURCE)\n};\n\n"
                "const char *kas_kernel_source(kas_kernel kernel, size_t *length)\n{\n"
                "    if (length) *length = sources[kernel].length;\n    return sources[kernel].text;\n}\n")
file(WRITE "${OUT}" "${c}")
