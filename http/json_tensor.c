#include "http/json_tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/json_scan.h"

enum { FIRST_VALUES = 1024 };

typedef struct tensor_reader {
    kas_json_scan scan;
    kas_json_tensor *tensor;
    kas_status invalid; /* the first fault of what is well-formed: it counts only if all the rest is JSON */
    bool has_shape, has_data;
    uint32_t depth;                      /* of the data's nesting; 0: not known yet */
    int64_t nested[KAS_TENSOR_MAX_RANK]; /* lengths of the lists at each depth; -1: none has ended yet */
} tensor_reader;

void kas_json_tensor_finish(kas_json_tensor *tensor)
{
    kas_free(tensor->values);
    *tensor = (kas_json_tensor){0};
}

static void keep(tensor_reader *reader, kas_status fault)
{
    if (reader->invalid)
        kas_status_free(fault);
    else
        reader->invalid = fault;
}

/* ---- data ---- */

static kas_status append(kas_json_tensor *tensor, float value)
{
    if (tensor->count == tensor->capacity) {
        size_t capacity = tensor->capacity ? 2 * tensor->capacity : FIRST_VALUES;
        float *values = kas_alloc_aligned(KAS_CACHE_LINE, capacity * sizeof *values);
        if (!values) return kas_out_of_memory();
        if (tensor->count) memcpy(values, tensor->values, tensor->count * sizeof *values);
        kas_free(tensor->values);
        tensor->values = values;
        tensor->capacity = capacity;
    }
    tensor->values[tensor->count++] = value;
    return NULL;
}

static kas_status read_value(tensor_reader *reader)
{
    double number;
    char first = kas_json_peek(&reader->scan);
    if (first != '-' && (first < '0' || first > '9')) {
        size_t at = (size_t)(reader->scan.at - reader->scan.start);
        KAS_TRY(kas_json_skip(&reader->scan));
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                              "data has something that is not a number (byte %zu)", at));
        return NULL;
    }
    KAS_TRY(kas_json_scan_number(&reader->scan, &number));
    if (!isfinite((float)number))
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                              "data has a number that no float32 holds: value %zu", reader->tensor->count));
    return append(reader->tensor, (float)number);
}

static void check_length(tensor_reader *reader, uint32_t depth, int64_t length)
{
    if (reader->nested[depth] < 0) reader->nested[depth] = length;
    if (reader->nested[depth] != length)
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                              "data is not rectangular: lists of %lld and of %lld at depth %u",
                              (long long)reader->nested[depth], (long long)length, depth));
}

static kas_status mixed(uint32_t depth)
{
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "data mixes numbers and lists at depth %u", depth);
}

/* A list at `depth`: of numbers, or of lists; never of both. */
static kas_status read_list(tensor_reader *reader, uint32_t depth)
{
    int64_t length = 0;
    if (!kas_json_take(&reader->scan, '[')) return kas_json_malformed(&reader->scan, "a list");
    bool nested = kas_json_peek(&reader->scan) == '[';
    if (!nested && !reader->depth) reader->depth = depth + 1;
    if ((nested && reader->depth && depth + 1 >= reader->depth) || (!nested && depth + 1 != reader->depth))
        keep(reader, mixed(depth));
    if (nested && depth + 1 == KAS_TENSOR_MAX_RANK)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "data is nested deeper than %d", KAS_TENSOR_MAX_RANK);
    if (!kas_json_take(&reader->scan, ']')) {
        do {
            bool list = kas_json_peek(&reader->scan) == '[';
            if (nested && !list) keep(reader, mixed(depth));
            KAS_TRY(nested && list ? read_list(reader, depth + 1) : read_value(reader));
            ++length;
        } while (kas_json_take(&reader->scan, ','));
        if (!kas_json_take(&reader->scan, ']')) return kas_json_malformed(&reader->scan, "',' or ']'");
    }
    check_length(reader, depth, length);
    return NULL;
}

/* ---- shape ---- */

static kas_status read_dimension(tensor_reader *reader)
{
    double value;
    kas_json_tensor *tensor = reader->tensor;
    char first = kas_json_peek(&reader->scan);
    if (first != '-' && (first < '0' || first > '9')) {
        KAS_TRY(kas_json_skip(&reader->scan));
        value = -1;
    } else {
        KAS_TRY(kas_json_scan_number(&reader->scan, &value));
    }
    if (!(value >= 0 && value <= 0x1p52) || value != floor(value))
        keep(reader,
             kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shape[%u] is not a whole number from 0", tensor->rank));
    else if (tensor->rank == KAS_TENSOR_MAX_RANK)
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shape has more than %d dimensions",
                              KAS_TENSOR_MAX_RANK));
    else
        tensor->shape[tensor->rank++] = (int64_t)value;
    return NULL;
}

static kas_status read_shape(tensor_reader *reader)
{
    if (!kas_json_take(&reader->scan, '[')) return kas_json_malformed(&reader->scan, "a list");
    if (kas_json_take(&reader->scan, ']')) {
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                              "shape is empty; its last member is the layer's input_size"));
        return NULL;
    }
    do {
        KAS_TRY(read_dimension(reader));
    } while (kas_json_take(&reader->scan, ','));
    return kas_json_take(&reader->scan, ']') ? NULL : kas_json_malformed(&reader->scan, "',' or ']'");
}

/* ---- the object ---- */

static bool is_named(const char *name, size_t length, const char *expected)
{
    return length == strlen(expected) && memcmp(name, expected, length) == 0;
}

static kas_status read_member(tensor_reader *reader)
{
    const char *name;
    size_t length;
    KAS_TRY(kas_json_scan_string(&reader->scan, &name, &length));
    if (!kas_json_take(&reader->scan, ':')) return kas_json_malformed(&reader->scan, "':'");
    bool shape = is_named(name, length, "shape"), data = is_named(name, length, "data");
    if ((shape && reader->has_shape) || (data && reader->has_data))
        return kas_fail(KAS_MALFORMED, CALLER, "the body has the member %s twice", shape ? "shape" : "data");
    reader->has_shape |= shape;
    reader->has_data |= data;
    if ((shape || data) && kas_json_peek(&reader->scan) == '[')
        return shape ? read_shape(reader) : read_list(reader, 0);
    if (shape || data)
        keep(reader, kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s must be a list of numbers",
                              shape ? "shape" : "data"));
    else
        keep(reader, kas_with_reason(kas_fail(KAS_INVALID_ARGUMENT, CALLER, "there is no member %.*s here",
                                              length > 64 ? 64 : (int)length, name),
                                     "unknown-member"));
    return kas_json_skip(&reader->scan);
}

static kas_status read_object(tensor_reader *reader)
{
    if (!kas_json_take(&reader->scan, '{')) return kas_json_malformed(&reader->scan, "an object");
    if (!kas_json_take(&reader->scan, '}')) {
        do {
            KAS_TRY(read_member(reader));
        } while (kas_json_take(&reader->scan, ','));
        if (!kas_json_take(&reader->scan, '}')) return kas_json_malformed(&reader->scan, "',' or '}'");
    }
    kas_json_peek(&reader->scan);
    return reader->scan.at == reader->scan.end ? NULL : kas_json_malformed(&reader->scan, "nothing more");
}

kas_status kas_json_tensor_check(const kas_json_tensor *tensor)
{
    size_t product = 1;
    for (uint32_t i = 0; i < tensor->rank; ++i)
        if (!kas_mul(product, (size_t)tensor->shape[i], &product))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shape has more elements than can be counted");
    if (product != tensor->count)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shape has %zu elements, data has %zu", product,
                        tensor->count);
    return NULL;
}

/* Whether the data fit the shape, as a flat list or nested as it says; without a shape, nesting is one. */
static kas_status check_fit(tensor_reader *reader)
{
    kas_json_tensor *tensor = reader->tensor;
    if (!reader->has_data) return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "data is required");
    bool nested = reader->depth > 1;
    if (!reader->has_shape) {
        tensor->rank = nested ? reader->depth : 0;
        if (nested) memcpy(tensor->shape, reader->nested, sizeof tensor->shape);
        return NULL;
    }
    for (uint32_t i = 0; nested && i < tensor->rank; ++i) {
        if (reader->depth != tensor->rank ||
            (reader->nested[i] >= 0 && reader->nested[i] != tensor->shape[i]))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "data is nested otherwise than shape says (dimension %u)", i);
    }
    return kas_json_tensor_check(tensor);
}

kas_status kas_json_tensor_read(const char *bytes, size_t size_bytes, kas_json_tensor *out)
{
    tensor_reader reader = {.scan = {bytes, bytes, bytes + size_bytes}, .tensor = out};
    *out = (kas_json_tensor){0};
    memset(reader.nested, 0xff, sizeof reader.nested);
    kas_status status = read_object(&reader);
    if (status) {
        kas_status_free(reader.invalid);
        return status;
    }
    return reader.invalid ? reader.invalid : check_fit(&reader);
}

/* Runs a part of the reader at a scanner that belongs to somebody else. */
static kas_status read_part(kas_json_scan *scan, kas_json_tensor *tensor,
                            kas_status (*part)(tensor_reader *reader))
{
    tensor_reader reader = {.scan = *scan, .tensor = tensor};
    memset(reader.nested, 0xff, sizeof reader.nested);
    kas_status status = part(&reader);
    *scan = reader.scan;
    if (!status) return reader.invalid;
    kas_status_free(reader.invalid);
    return status;
}

static kas_status read_outer_list(tensor_reader *reader)
{
    return read_list(reader, 0);
}

kas_status kas_json_tensor_read_data(kas_json_scan *scan, kas_json_tensor *out)
{
    return read_part(scan, out, read_outer_list);
}

kas_status kas_json_tensor_read_shape(kas_json_scan *scan, kas_json_tensor *out)
{
    return read_part(scan, out, read_shape);
}
