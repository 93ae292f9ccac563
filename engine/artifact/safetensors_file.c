/* Reading the header. Offsets are checked against each other as well as against the file: what a careful
 * writer makes has neither gaps nor overlaps, and anything else is refused. */
#include "engine/artifact/safetensors_file.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "engine/artifact/json.h"
#include "engine/artifact/refuse.h"

enum { LENGTH_BYTES = KAS_SAFETENSORS_LENGTH_BYTES, MAX_TENSORS = 4096, MAX_RANK = KAS_SAFETENSORS_MAX_RANK };
#define HEADER_MAX ((size_t)1 << 20) /* as values in memory it takes some twenty times as much */

static const struct {
    const char *name;
    kas_element dtype;
} dtypes[] = {
    {"F64", KAS_ELEMENT_F64},   {"F32", KAS_ELEMENT_F32}, {"F16", KAS_ELEMENT_F16},
    {"BF16", KAS_ELEMENT_BF16}, {"I64", KAS_ELEMENT_I64}, {"I32", KAS_ELEMENT_I32},
    {"I16", KAS_ELEMENT_I16},   {"I8", KAS_ELEMENT_I8},   {"U64", KAS_ELEMENT_U64},
    {"U32", KAS_ELEMENT_U32},   {"U16", KAS_ELEMENT_U16}, {"U8", KAS_ELEMENT_U8},
    {"BOOL", KAS_ELEMENT_BOOL},
};

static bool is_weight_type(kas_element dtype)
{
    return dtype == KAS_ELEMENT_F32 || dtype == KAS_ELEMENT_F16 || dtype == KAS_ELEMENT_BF16;
}

/* ---- the header ---- */

static kas_status refuse_member(const kas_safetensors_tensor *entry, const char *what)
{
    return kas_refuse(KAS_REASON_MALFORMED, "tensor \"%.64s\": %s", entry->name, what);
}

static kas_status read_dtype(const json_t *value, kas_safetensors_tensor *out)
{
    const char *name = json_string_value(value);
    if (!name) return refuse_member(out, "its dtype is missing or no string");
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i)
        if (strcmp(name, dtypes[i].name) == 0) {
            out->dtype_name = dtypes[i].name;
            out->dtype = dtypes[i].dtype;
            return NULL;
        }
    return kas_refuse(KAS_REASON_UNSUPPORTED, "tensor \"%.64s\": the dtype \"%.32s\" is not known", out->name,
                      name);
}

static kas_status read_shape(const json_t *value, kas_safetensors_tensor *out, size_t *size_bytes)
{
    if (!json_is_array(value) || json_array_size(value) > MAX_RANK)
        return refuse_member(out, "its shape is missing, no array, or of too many dimensions");
    out->rank = (int)json_array_size(value);
    *size_bytes = kas_element_bytes(out->dtype);
    for (int i = 0; i < out->rank; ++i) {
        const json_t *dim = json_array_get(value, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return refuse_member(out, "a dimension of its shape is no integer, or negative");
        out->dims[i] = (uint64_t)json_integer_value(dim);
        if (!kas_mul(*size_bytes, (size_t)out->dims[i], size_bytes))
            return refuse_member(out, "its shape overflows: the size is too large");
    }
    return NULL;
}

static kas_status read_offsets(const json_t *value, size_t data_bytes, kas_safetensors_tensor *out)
{
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return refuse_member(out, "its data_offsets are no two integers");
    const json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || to < from) return refuse_member(out, "its data_offsets are negative or reversed");
    if ((uint64_t)to > data_bytes)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "tensor \"%.64s\": its data_offsets end at %" PRId64
                          ", beyond the %zu bytes of data (truncated?)",
                          out->name, (int64_t)to, data_bytes);
    out->begin = (size_t)from;
    out->end = (size_t)to;
    return NULL;
}

static kas_status read_entry(const char *name, const json_t *value, size_t data_bytes,
                             kas_safetensors_tensor *out)
{
    size_t size;
    *out = (kas_safetensors_tensor){.name = name};
    if (!json_is_object(value)) return refuse_member(out, "its description is no JSON object");
    KAS_TRY(read_dtype(json_object_get(value, "dtype"), out));
    KAS_TRY(read_shape(json_object_get(value, "shape"), out, &size));
    KAS_TRY(read_offsets(json_object_get(value, "data_offsets"), data_bytes, out));
    if (size == out->end - out->begin) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "tensor \"%.64s\": its shape needs %zu bytes, its data_offsets give %zu", name, size,
                      out->end - out->begin);
}

static kas_status check_metadata(const json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return kas_refuse(KAS_REASON_MALFORMED, "__metadata__ is no JSON object");
    json_object_foreach((json_t *)metadata, key, value) if (!json_is_string(value)) return kas_refuse(
        KAS_REASON_MALFORMED, "__metadata__: the value of \"%.64s\" is no string", key);
    return NULL;
}

static int compare_begin(const void *a, const void *b)
{
    const kas_safetensors_tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Tensors lie one after the other and fill the data. */
static kas_status check_layout(kas_safetensors_file *file)
{
    size_t at = 0;
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_begin);
    for (size_t i = 0; i < file->count; ++i) {
        const kas_safetensors_tensor *entry = &file->tensors[i];
        if (entry->begin != at)
            return kas_refuse(KAS_REASON_MALFORMED,
                              "tensor \"%.64s\" begins at offset %zu, where the one before ends "
                              "at %zu: an %s",
                              entry->name, entry->begin, at, entry->begin < at ? "overlap" : "unused gap");
        at = entry->end;
    }
    if (at == file->data_bytes) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "%zu trailing bytes after the end of the last tensor, of %zu",
                      file->data_bytes - at, file->data_bytes);
}

static kas_status read_entries(kas_safetensors_file *file)
{
    const char *name;
    json_t *value;
    if (json_object_size(file->header) > MAX_TENSORS)
        return kas_refuse(KAS_REASON_LIMIT, "%zu tensors are over the limit of %d",
                          json_object_size(file->header), (int)MAX_TENSORS);
    file->tensors = kas_calloc(json_object_size(file->header), sizeof *file->tensors);
    if (!file->tensors) return kas_out_of_memory();
    json_object_foreach(file->header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            KAS_TRY(check_metadata(value));
            continue;
        }
        KAS_TRY(read_entry(name, value, file->data_bytes, &file->tensors[file->count]));
        ++file->count;
    }
    return check_layout(file);
}

kas_status kas_safetensors_open(const void *bytes, size_t size_bytes, kas_safetensors_file *out)
{
    const unsigned char *at = bytes;
    uint64_t length;
    if (size_bytes < LENGTH_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED, "truncated: %zu bytes are too short for the header's length",
                          size_bytes);
    memcpy(&length, at, sizeof length);
    length = le64toh(length);
    if (length > HEADER_MAX || length > size_bytes - LENGTH_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "the header's length of %" PRIu64 " bytes goes beyond the end of the "
                          "file's %zu, or the limit of %zu",
                          length, size_bytes, HEADER_MAX);
    if (length == 0) return kas_refuse(KAS_REASON_MALFORMED, "the header is empty: its length is 0");
    KAS_TRY(kas_annotate(kas_artifact_parse_json((const char *)at + LENGTH_BYTES, (size_t)length,
                                                 KAS_REASON_MALFORMED, &out->header),
                         "header"));
    out->data = at + LENGTH_BYTES + length;
    out->data_bytes = size_bytes - LENGTH_BYTES - (size_t)length;
    return read_entries(out);
}

void kas_safetensors_close(kas_safetensors_file *file)
{
    if (file->header) json_decref(file->header);
    kas_free(file->tensors);
}

/* ---- values ---- */

const kas_safetensors_tensor *kas_safetensors_find(const kas_safetensors_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; ++i)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

kas_status kas_safetensors_floats(const kas_safetensors_file *file, const kas_safetensors_tensor *entry,
                                  float **out)
{
    if (!is_weight_type(entry->dtype))
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "tensor \"%.64s\" has the dtype %s; F32, F16 or BF16 are float types", entry->name,
                          entry->dtype_name);
    const size_t count = (entry->end - entry->begin) / kas_element_bytes(entry->dtype);
    float *values = kas_alloc_array(count, sizeof *values);
    if (!values) return kas_out_of_memory();
    *out = values;
    kas_elements_to_floats(entry->dtype, file->data + entry->begin, count, values);
    const size_t bad = kas_first_not_finite(values, count);
    if (bad == count) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "tensor \"%.64s\": value %zu is %s; weights must be finite",
                      entry->name, bad, isnan(values[bad]) ? "NaN" : "infinite");
}
