#include "http/infer_read.h"

#include <string.h>

#include "base/alloc.h"
#include "http/json_scan.h"

enum { NO_OVERRIDE = -1 };

static const char alpha_prefix[] = "alpha.";

typedef struct infer_reader {
    kas_json_scan scan;
    kas_infer *out;
    bool has_datatype, has_output;
    bool output_says;            /* the output itself says whether it is binary */
    float alphas[KAS_MAX_SEEDS]; /* NO_OVERRIDE: none */
} infer_reader;

typedef kas_status (*take_member)(infer_reader *reader, const char *name, size_t length);

void kas_infer_finish(kas_infer *infer)
{
    kas_json_tensor_finish(&infer->input);
}

static bool is_named(const char *name, size_t length, const char *expected)
{
    return length == strlen(expected) && memcmp(name, expected, length) == 0;
}

static kas_status read_object(infer_reader *reader, take_member take)
{
    kas_json_scan *scan = &reader->scan;
    if (!kas_json_take(scan, '{')) return kas_json_malformed(scan, "an object");
    if (kas_json_take(scan, '}')) return NULL;
    do {
        const char *name;
        size_t length;
        KAS_TRY(kas_json_scan_string(scan, &name, &length));
        if (!kas_json_take(scan, ':')) return kas_json_malformed(scan, "':'");
        KAS_TRY(take(reader, name, length));
    } while (kas_json_take(scan, ','));
    return kas_json_take(scan, '}') ? NULL : kas_json_malformed(scan, "',' or '}'");
}

static kas_status read_list(infer_reader *reader, const char *what, kas_status (*read)(infer_reader *reader))
{
    kas_json_scan *scan = &reader->scan;
    if (kas_json_peek(scan) != '[')
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must be an array", what);
    kas_json_take(scan, '[');
    if (kas_json_take(scan, ']')) return NULL;
    do {
        if (kas_json_peek(scan) != '{')
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must hold objects", what);
        KAS_TRY(read(reader));
    } while (kas_json_take(scan, ','));
    return kas_json_take(scan, ']') ? NULL : kas_json_malformed(scan, "',' or ']'");
}

static kas_status read_text(infer_reader *reader, const char *what, const char **text, size_t *length)
{
    if (kas_json_peek(&reader->scan) != '"')
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must be a string", what);
    return kas_json_scan_string(&reader->scan, text, length);
}

static kas_status read_bool(infer_reader *reader, const char *what, bool *out)
{
    char first = kas_json_peek(&reader->scan);
    if (first != 't' && first != 'f')
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must be true or false", what);
    *out = first == 't';
    return kas_json_skip(&reader->scan);
}

static kas_status read_size(infer_reader *reader, const char *what, size_t *out)
{
    size_t value = 0;
    kas_json_peek(&reader->scan);
    const char *at = reader->scan.at;
    KAS_TRY(kas_json_skip(&reader->scan));
    for (; at < reader->scan.at; ++at)
        if (*at < '0' || *at > '9' || !kas_mul(value, 10, &value) ||
            !kas_add(value, (size_t)(*at - '0'), &value))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must be a whole number of bytes", what);
    *out = value;
    return NULL;
}

static kas_status read_parameters(infer_reader *reader, take_member take)
{
    if (kas_json_peek(&reader->scan) != '{')
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'parameters' must be an object");
    return read_object(reader, take);
}

static kas_status refuse_shared_memory(void)
{
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shared memory is not enabled on this server");
}

/* ---- parameters of the request ---- */

static bool parse_seed(const char *digits, size_t length, uint32_t *seed)
{
    *seed = 0;
    for (size_t i = 0; i < length; ++i) {
        if (digits[i] < '0' || digits[i] > '9') return false;
        *seed = *seed * 10 + (uint32_t)(digits[i] - '0');
        if (*seed >= KAS_MAX_SEEDS) return false;
    }
    return length > 0;
}

static kas_status read_alpha(infer_reader *reader, const char *name, size_t length)
{
    const size_t prefix = strlen(alpha_prefix);
    const int shown = length > 64 ? 64 : (int)length;
    uint32_t seed;
    double alpha = NO_OVERRIDE;
    if (!parse_seed(name + prefix, length - prefix, &seed))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "parameter '%.*s': there is no such seed", shown, name);
    if (reader->alphas[seed] != NO_OVERRIDE)
        return kas_fail(KAS_MALFORMED, CALLER, "parameter '%.*s' is given twice", shown, name);
    char first = kas_json_peek(&reader->scan);
    if (first == '-' || (first >= '0' && first <= '9')) KAS_TRY(kas_json_scan_number(&reader->scan, &alpha));
    if (!(alpha >= 0 && alpha <= 1))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "parameter '%.*s' must be a number from 0 to 1", shown,
                        name);
    reader->alphas[seed] = (float)alpha;
    return NULL;
}

static kas_status take_parameter(infer_reader *reader, const char *name, size_t length)
{
    bool binary;
    const size_t prefix = strlen(alpha_prefix);
    if (length >= prefix && memcmp(name, alpha_prefix, prefix) == 0) return read_alpha(reader, name, length);
    if (!is_named(name, length, "binary_data_output"))
        return kas_json_skip(&reader->scan); /* others are for servers that know them */
    KAS_TRY(read_bool(reader, "binary_data_output", &binary));
    if (!reader->output_says) reader->out->binary_output = binary;
    return NULL;
}

/* The name of a tensor, which must be `only`. */
static kas_status read_name(infer_reader *reader, const char *only, bool *has)
{
    const char *text;
    size_t length;
    KAS_TRY(read_text(reader, "name", &text, &length));
    if (!is_named(text, length, only))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "unexpected inference %s '%.*s'; a layer has one, '%s'",
                        only, length > 64 ? 64 : (int)length, text, only);
    *has = true;
    return NULL;
}

/* ---- inputs ---- */

static kas_status take_input_parameter(infer_reader *reader, const char *name, size_t length)
{
    if (is_named(name, length, "shared_memory_region")) return refuse_shared_memory();
    if (!is_named(name, length, "binary_data_size")) return kas_json_skip(&reader->scan);
    reader->out->binary = true;
    return read_size(reader, "binary_data_size", &reader->out->binary_bytes);
}

static kas_status read_datatype(infer_reader *reader)
{
    const char *text;
    size_t length;
    KAS_TRY(read_text(reader, "datatype", &text, &length));
    reader->has_datatype = true;
    if (is_named(text, length, "FP32")) return NULL;
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "inference input 'input' is FP32, not %.*s",
                    length > 16 ? 16 : (int)length, text);
}

static kas_status take_input_member(infer_reader *reader, const char *name, size_t length)
{
    kas_json_tensor *input = &reader->out->input;
    if (is_named(name, length, "name")) return read_name(reader, "input", &reader->out->has_input);
    if (is_named(name, length, "datatype")) return read_datatype(reader);
    if (is_named(name, length, "parameters")) return read_parameters(reader, take_input_parameter);
    if (is_named(name, length, "shape") || is_named(name, length, "data")) {
        if (kas_json_peek(&reader->scan) != '[')
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%.*s' must be a list of numbers", (int)length,
                            name);
        if (*name == 'd' && input->count) return kas_fail(KAS_MALFORMED, CALLER, "'data' is given twice");
        if (*name == 's' && input->rank) return kas_fail(KAS_MALFORMED, CALLER, "'shape' is given twice");
        return *name == 's' ? kas_json_tensor_read_shape(&reader->scan, input)
                            : kas_json_tensor_read_data(&reader->scan, input);
    }
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "an inference input has no member '%.*s'",
                    length > 64 ? 64 : (int)length, name);
}

static kas_status read_input(infer_reader *reader)
{
    if (reader->out->has_input)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a layer has one input, more were given");
    KAS_TRY(read_object(reader, take_input_member));
    if (!reader->out->has_input)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "an inference input must have a 'name'");
    if (!reader->out->input.rank)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "inference input 'input' must have a 'shape'");
    if (!reader->has_datatype)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "inference input 'input' must have a 'datatype', FP32");
    if (reader->out->binary && reader->out->input.count)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "inference input 'input' has both 'data' and 'binary_data_size'");
    return reader->out->binary ? NULL : kas_json_tensor_check(&reader->out->input);
}

/* ---- outputs ---- */

static kas_status take_output_parameter(infer_reader *reader, const char *name, size_t length)
{
    if (is_named(name, length, "shared_memory_region")) return refuse_shared_memory();
    if (is_named(name, length, "classification"))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the classification extension is not supported");
    if (!is_named(name, length, "binary_data")) return kas_json_skip(&reader->scan);
    reader->output_says = true;
    return read_bool(reader, "binary_data", &reader->out->binary_output);
}

static kas_status take_output_member(infer_reader *reader, const char *name, size_t length)
{
    if (is_named(name, length, "name")) return read_name(reader, "output", &reader->has_output);
    if (is_named(name, length, "parameters")) return read_parameters(reader, take_output_parameter);
    return kas_json_skip(&reader->scan);
}

static kas_status read_output(infer_reader *reader)
{
    if (reader->has_output)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "output 'output' is requested twice");
    KAS_TRY(read_object(reader, take_output_member));
    if (!reader->has_output)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a requested output must have a 'name'");
    return NULL;
}

/* ---- the request ---- */

static kas_status take_request_member(infer_reader *reader, const char *name, size_t length)
{
    if (is_named(name, length, "id"))
        return read_text(reader, "id", &reader->out->id, &reader->out->id_length);
    if (is_named(name, length, "parameters")) return read_parameters(reader, take_parameter);
    if (is_named(name, length, "inputs")) return read_list(reader, "inputs", read_input);
    if (is_named(name, length, "outputs")) return read_list(reader, "outputs", read_output);
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "an inference request has no member '%.*s'",
                    length > 64 ? 64 : (int)length, name);
}

static void collect_alphas(const infer_reader *reader)
{
    for (uint32_t seed = 0; seed < KAS_MAX_SEEDS; ++seed)
        if (reader->alphas[seed] >= 0)
            reader->out->alphas[reader->out->alpha_count++] =
                (kas_alpha_override){seed, reader->alphas[seed]};
}

kas_status kas_infer_read(const char *body, size_t json_bytes, kas_infer *out)
{
    infer_reader reader = {.scan = {body, body, body + json_bytes}, .out = out};
    for (size_t i = 0; i < KAS_MAX_SEEDS; ++i)
        reader.alphas[i] = NO_OVERRIDE;
    KAS_TRY(read_object(&reader, take_request_member));
    kas_json_peek(&reader.scan);
    if (reader.scan.at != reader.scan.end) return kas_json_malformed(&reader.scan, "nothing more");
    if (!out->has_input)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'inputs' must have the layer's one input, 'input'");
    collect_alphas(&reader);
    return NULL;
}
