/* A registry's claim about an artifact. What it leaves out is filled in from the artifact; where it disagrees
 * with the bytes, it is refused. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "engine/artifact/json.h"
#include "engine/artifact/refuse.h"

#define MEBIBYTE (1024.0 * 1024.0)

enum {
    PARAMETERS_MAX = 10000000,
    REQUIREMENTS_MAX =
        sizeof((kas_metadata *)0)->device_requirements / sizeof((kas_metadata *)0)->device_requirements[0],
};

/* NULL for a member that is absent or null. */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static kas_status wrong_type(const char *name, const char *wanted)
{
    return kas_refuse(KAS_REASON_METADATA, "%s has the wrong type; it must be %s", name, wanted);
}

static kas_status read_text(const json_t *object, const char *name, char *out, size_t size)
{
    const json_t *value = member(object, name);
    if (!value) return NULL;
    if (!json_is_string(value)) return wrong_type(name, "a string");
    if (json_string_length(value) >= size)
        return kas_refuse(KAS_REASON_METADATA, "%s has %zu bytes, the limit is %zu", name,
                          json_string_length(value), size - 1);
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return NULL;
}

static kas_status read_shape(const json_t *object, const char *name, kas_shape *out)
{
    const json_t *value = member(object, name);
    size_t elements;
    if (!value) return NULL;
    if (!json_is_array(value)) return wrong_type(name, "an array of integers");
    if (json_array_size(value) == 0 || json_array_size(value) > KAS_MAX_RANK)
        return kas_refuse(KAS_REASON_METADATA, "%s has %zu dimensions; 1 to %d are possible", name,
                          json_array_size(value), (int)KAS_MAX_RANK);
    for (size_t i = 0; i < json_array_size(value); ++i) {
        const json_t *dim = json_array_get(value, i);
        if (!json_is_integer(dim)) return wrong_type(name, "an array of integers");
        out->dims[i] = json_integer_value(dim);
    }
    out->rank = (int)json_array_size(value);
    if (kas_shape_elements(out, &elements)) return NULL;
    return kas_refuse(KAS_REASON_METADATA, "%s has a dimension below 1, or is too large", name);
}

static kas_status read_numbers(const json_t *object, kas_metadata *out)
{
    const json_t *count = member(object, "parameter_count"), *memory = member(object, "memory_footprint_mb");
    if (count) {
        if (!json_is_integer(count) || json_integer_value(count) < 0)
            return wrong_type("parameter_count", "an integer of 0 or more");
        if (json_integer_value(count) > PARAMETERS_MAX)
            return kas_refuse(KAS_REASON_METADATA, "parameter_count is %lld, over the limit of %d parameters",
                              (long long)json_integer_value(count), (int)PARAMETERS_MAX);
        out->has_parameter_count = true;
        out->parameter_count = (uint64_t)json_integer_value(count);
    }
    if (memory) {
        if (!json_is_number(memory) || !isfinite(json_number_value(memory)) || json_number_value(memory) < 0)
            return wrong_type("memory_footprint_mb", "a number of 0 or more");
        out->has_memory = true;
        out->memory_footprint_mb = json_number_value(memory);
    }
    return NULL;
}

static kas_status read_checksum(const json_t *object, kas_metadata *out)
{
    const json_t *value = member(object, "checksum");
    if (!value) return NULL;
    out->has_checksum = json_is_string(value) && kas_sha256_parse(json_string_value(value), &out->checksum);
    return out->has_checksum ? NULL : wrong_type("checksum", "the 64 hex digits of a SHA-256");
}

static kas_status read_requirements(const json_t *object, kas_metadata *out)
{
    const json_t *value = member(object, "device_requirements");
    if (!value) return NULL;
    if (!json_is_array(value)) return wrong_type("device_requirements", "an array of strings");
    if (json_array_size(value) > REQUIREMENTS_MAX)
        return kas_refuse(KAS_REASON_METADATA, "device_requirements has %zu members, the limit is %d",
                          json_array_size(value), (int)REQUIREMENTS_MAX);
    for (size_t i = 0; i < json_array_size(value); ++i) {
        const json_t *text = json_array_get(value, i);
        if (!json_is_string(text) || json_string_length(text) >= sizeof out->device_requirements[i])
            return wrong_type("device_requirements", "an array of short strings such as \"gpu\"");
        memcpy(out->device_requirements[i], json_string_value(text), json_string_length(text) + 1);
    }
    out->device_requirement_count = json_array_size(value);
    return NULL;
}

/* An object that is passed on as it is. */
static kas_status copy_object(const json_t *object, const char *name, char **out)
{
    const json_t *value = member(object, name);
    if (value && !json_is_object(value)) return wrong_type(name, "an object");
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    if (value && !text) return kas_out_of_memory();
    *out = kas_strdup(text ? text : "{}");
    free(text); /* Jansson's allocation */
    return *out ? NULL : kas_out_of_memory();
}

static kas_status read_profile(const json_t *object, kas_metadata *out)
{
    KAS_TRY(copy_object(object, "performance_profile", &out->performance_profile));
    const json_t *profile = member(object, "performance_profile");
    const json_t *confidence = member(profile, "confidence"), *score = member(profile, "score");
    if (confidence) {
        if (!json_is_number(confidence) ||
            !(json_number_value(confidence) >= 0 && json_number_value(confidence) <= 1))
            return wrong_type("performance_profile.confidence", "a number from 0 to 1");
        out->confidence = json_number_value(confidence);
    }
    if (score) {
        if (!json_is_number(score)) return wrong_type("performance_profile.score", "a number");
        out->score = json_number_value(score);
    }
    return NULL;
}

static kas_status read_object(const json_t *object, kas_metadata *out)
{
    KAS_TRY(read_text(object, "kernel_id", out->kernel_id, sizeof out->kernel_id));
    KAS_TRY(read_text(object, "blueprint_id", out->blueprint_id, sizeof out->blueprint_id));
    KAS_TRY(read_text(object, "name", out->name, sizeof out->name));
    KAS_TRY(read_text(object, "compilation_target", out->compilation_target, sizeof out->compilation_target));
    KAS_TRY(read_text(object, "compatibility_version", out->compatibility_version,
                      sizeof out->compatibility_version));
    KAS_TRY(read_text(object, "created_at", out->created_at, sizeof out->created_at));
    KAS_TRY(read_shape(object, "input_shape", &out->input_shape));
    KAS_TRY(read_shape(object, "output_shape", &out->output_shape));
    KAS_TRY(read_numbers(object, out));
    KAS_TRY(read_checksum(object, out));
    KAS_TRY(read_requirements(object, out));
    KAS_TRY(copy_object(object, "optimization_flags", &out->optimization_flags));
    return read_profile(object, out);
}

kas_status kas_metadata_parse(const char *json, size_t size_bytes, kas_metadata *out)
{
    json_t *root;
    *out = KAS_METADATA_ABSENT;
    KAS_TRY(kas_annotate(kas_artifact_parse_json(json, size_bytes, KAS_REASON_METADATA, &root), "metadata"));
    kas_status status = read_object(root, out);
    json_decref(root);
    if (status) kas_metadata_finish(out);
    return kas_annotate(status, "metadata");
}

void kas_metadata_finish(kas_metadata *metadata)
{
    kas_free(metadata->optimization_flags);
    kas_free(metadata->performance_profile);
    *metadata = (kas_metadata){0};
}

/* ---- against the artifact ---- */

static kas_status complete_shape(const char *name, const kas_shape *actual, kas_shape *claimed)
{
    char a[128], b[128];
    if (claimed->rank == 0) {
        *claimed = *actual;
        return NULL;
    }
    bool same = claimed->rank == actual->rank;
    for (int i = 0; same && i < actual->rank; ++i)
        same = claimed->dims[i] == actual->dims[i];
    if (same) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "%s says %s, the kernel has the shape %s", name,
                      kas_shape_text(claimed, a, sizeof a), kas_shape_text(actual, b, sizeof b));
}

static kas_status complete_checksum(kas_metadata *metadata, const kas_artifact *artifact)
{
    char claimed[KAS_SHA256_HEX_SIZE], actual[KAS_SHA256_HEX_SIZE];
    if (!metadata->has_checksum) {
        metadata->has_checksum = true;
        metadata->checksum = artifact->checksum;
    }
    if (kas_sha256_equal(&metadata->checksum, &artifact->checksum)) return NULL;
    kas_sha256_hex(&metadata->checksum, claimed);
    kas_sha256_hex(&artifact->checksum, actual);
    return kas_refuse(KAS_REASON_CHECKSUM,
                      "checksum mismatch: the metadata says %s, the bytes have the SHA-256 %s", claimed,
                      actual);
}

/* Channels that products give: an exporter may have folded a normalisation's scale and shift into each. */
static uint64_t product_channels(const kas_graph *graph)
{
    uint64_t channels = 0;
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        if (node->op != KAS_OP_LINEAR && node->op != KAS_OP_CONV) continue;
        channels += (uint64_t)graph->tensors[node->inputs[1]].shape.dims[0];
    }
    return channels;
}

/* Who trained the kernel counts its parameters; the file has buffers beside them, or lacks what was folded.
 */
static kas_status complete_parameters(kas_metadata *metadata, const kas_artifact *artifact)
{
    const uint64_t constants = artifact->memory_bytes / sizeof(float), own = artifact->parameter_count;
    const uint64_t least = own < constants ? own : constants;
    const uint64_t most = (own > constants ? own : constants) + 2 * product_channels(artifact->graph);
    if (!metadata->has_parameter_count) {
        metadata->has_parameter_count = true;
        metadata->parameter_count = own;
    }
    if (metadata->parameter_count >= least && metadata->parameter_count <= most) return NULL;
    return kas_refuse(KAS_REASON_METADATA,
                      "parameter_count says %" PRIu64 ", the kernel has %" PRIu64 " parameters and %" PRIu64
                      " constants",
                      metadata->parameter_count, own, constants);
}

static kas_status check_claims(kas_metadata *metadata, const kas_artifact *artifact)
{
    const kas_graph *graph = artifact->graph;
    KAS_TRY(complete_checksum(metadata, artifact));
    KAS_TRY(complete_shape("input_shape", &graph->tensors[graph->input].shape, &metadata->input_shape));
    KAS_TRY(complete_shape("output_shape", &graph->tensors[graph->output].shape, &metadata->output_shape));
    return complete_parameters(metadata, artifact);
}

kas_status kas_metadata_complete(kas_metadata *metadata, const kas_artifact *artifact,
                                 const char *artifact_id)
{
    KAS_TRY(kas_annotate(check_claims(metadata, artifact), "metadata"));
    if (!metadata->kernel_id[0]) snprintf(metadata->kernel_id, sizeof metadata->kernel_id, "%s", artifact_id);
    if (!metadata->compilation_target[0])
        snprintf(metadata->compilation_target, sizeof metadata->compilation_target, "%s",
                 kas_format_name(artifact->format));
    if (!metadata->has_memory) {
        metadata->has_memory = true;
        metadata->memory_footprint_mb = (double)artifact->memory_bytes / MEBIBYTE;
    }
    return NULL;
}
