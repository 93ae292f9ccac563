/* Metadata as the JSON object that docs/semantics.md names. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/text.h"
#include "engine/cache/record.h"

enum { METADATA_TEXT_MAX = 1 << 20 };

static void append_string(kas_text *text, const char *value)
{
    kas_text_append(text, "\"", 1);
    for (; *value; ++value) {
        unsigned char byte = (unsigned char)*value;
        if (byte == '"' || byte == '\\')
            kas_text_printf(text, "\\%c", byte);
        else if (byte < 0x20)
            kas_text_printf(text, "\\u%04x", byte);
        else
            kas_text_append(text, value, 1);
    }
    kas_text_append(text, "\"", 1);
}

static void append_member(kas_text *text, const char *name, const char *value)
{
    kas_text_printf(text, "\"%s\":", name);
    append_string(text, value);
    kas_text_append(text, ",", 1);
}

static void append_shape(kas_text *text, const char *name, const kas_shape *shape)
{
    kas_text_printf(text, "\"%s\":[", name);
    for (int i = 0; i < shape->rank; ++i)
        kas_text_printf(text, "%s%" PRId64, i ? "," : "", shape->dims[i]);
    kas_text_append(text, "],", 2);
}

static void append_requirements(kas_text *text, const kas_metadata *metadata)
{
    kas_text_printf(text, "\"device_requirements\":[");
    for (size_t i = 0; i < metadata->device_requirement_count; ++i) {
        if (i) kas_text_append(text, ",", 1);
        append_string(text, metadata->device_requirements[i]);
    }
    kas_text_append(text, "],", 2);
}

kas_status kas_metadata_text(const kas_metadata *metadata, char **json)
{
    kas_text text;
    kas_text_init(&text, METADATA_TEXT_MAX);
    kas_text_append(&text, "{", 1);
    append_member(&text, "kernel_id", metadata->kernel_id);
    append_member(&text, "blueprint_id", metadata->blueprint_id);
    append_member(&text, "name", metadata->name);
    append_shape(&text, "input_shape", &metadata->input_shape);
    append_shape(&text, "output_shape", &metadata->output_shape);
    kas_text_printf(&text, "\"parameter_count\":%" PRIu64 ",", metadata->parameter_count);
    append_requirements(&text, metadata);
    char footprint[KAS_REAL_SIZE];
    kas_format_real(metadata->memory_footprint_mb, footprint);
    kas_text_printf(&text, "\"memory_footprint_mb\":%s,", footprint);
    append_member(&text, "compilation_target", metadata->compilation_target);
    kas_text_printf(&text, "\"optimization_flags\":%s,",
                    metadata->optimization_flags ? metadata->optimization_flags : "{}");
    kas_text_printf(&text, "\"performance_profile\":%s,",
                    metadata->performance_profile ? metadata->performance_profile : "{}");
    append_member(&text, "compatibility_version", metadata->compatibility_version);
    append_member(&text, "created_at", metadata->created_at);
    char checksum[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&metadata->checksum, checksum);
    kas_text_printf(&text, "\"checksum\":\"%s\"}", checksum);
    if (text.failed) {
        kas_text_finish(&text);
        return kas_out_of_memory();
    }
    *json = text.bytes;
    return NULL;
}
