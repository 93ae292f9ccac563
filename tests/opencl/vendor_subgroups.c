#include "tests/opencl/vendor_subgroups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char functions[] =
    "#ifdef SUBGROUPS\n"
    "#define get_max_sub_group_size() VENDOR_SUBGROUP\n"
    "#define get_sub_group_id() 0u\n"
    "#define get_sub_group_local_id() ((uint)(get_local_size(0) - 1 - get_local_id(0)))\n"
    "#define sub_group_shuffle_down(value, delta) vendor_shuffle_down(vendor_exchange, value, delta)\n"
    "inline float vendor_shuffle_down(__local float *exchange, float value, uint delta)\n"
    "{\n"
    "    const uint lane = get_sub_group_local_id(), from = lane + delta;\n"
    "    exchange[lane] = value;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    const float got = from < get_max_sub_group_size() ? exchange[from] : NAN;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    return got;\n"
    "}\n"
    "#endif\n";
static const char body[] = "BODY {\n"; /* the last one: others stand in comments */
static const char memory[] = "#ifdef SUBGROUPS\n"
                             "__local float vendor_exchange[WG];\n"
                             "#endif\n";

static const char *find_body(const char *source)
{
    const char *last = NULL;
    for (const char *at = source; (at = strstr(at, body)) != NULL; ++at)
        last = at;
    return last;
}

/* The reading with SUBGROUPS is the first one. Nothing where the kernel does not reduce. */
static void remove_barrier(char *source, size_t number)
{
    static const char barrier[] = "SYNC";
    char *at = strstr(source, "#define GROUP_REDUCE(");
    for (size_t i = 0; at && i < number; ++i)
        at = strstr(at + 1, barrier);
    if (at) memcpy(at, "0   ", strlen(barrier));
}

char *vendor_give_subgroups(const char *source, size_t length, size_t without_barrier)
{
    const size_t room = length + sizeof functions + sizeof memory;
    const char *at = find_body(source);
    char *out = malloc(room);
    if (!out || !at) abort();
    const size_t before = (size_t)(at - source);
    snprintf(out, room, "%s%.*s%s%.*s", functions, (int)before, source, memory, (int)(length - before), at);
    if (without_barrier > 0) remove_barrier(out, without_barrier);
    return out;
}

void vendor_subgroup_options(const char *options, size_t size, char *out, size_t room)
{
    const int length = snprintf(out, room, "%s -DVENDOR_SUBGROUP=%zuu", options, size);
    if (length < 0 || (size_t)length >= room) abort();
}

const char *vendor_subgroup_extensions(const vendor_control *told)
{
    return told->subgroup_fault == VENDOR_SUBGROUPS_DO_NOT_SHUFFLE
               ? " cl_khr_subgroups"
               : " cl_khr_subgroups cl_khr_subgroup_shuffle_relative";
}

cl_int vendor_subgroup_info(const vendor_control *told, cl_kernel_sub_group_info what, size_t input_size,
                            const void *input, size_t size, void *out)
{
    const size_t most = told->subgroup_size;
    size_t local[2], value = most;
    if (most == 0) abort(); /* never offered */
    if (told->subgroup_fault == VENDOR_SUBGROUPS_ARE_NOT_TOLD) return CL_INVALID_OPERATION;
    if (input_size != sizeof local || size != sizeof value) return CL_INVALID_VALUE;
    memcpy(local, input, sizeof local);
    if (what == CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE) {
        value = (local[0] * local[1] + most - 1) / most;
        if (told->subgroup_fault == VENDOR_SUBGROUPS_ARE_NOT_FULL) ++value;
    }
    memcpy(out, &value, sizeof value);
    return CL_SUCCESS;
}
