#include "http/infer_read.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http/json_scan.h"

enum { NO_OVERRIDE = -1 };

typedef struct infer_reader {
    kas_json_scan scan;
    kas_infer *out;
    bool has_datatype, has_outputs;
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

/* A value that is small: made into a tree. */
static kas_status read_tree(infer_reader *reader, const char *what, json_t **out)
{
    const char *start = reader->scan.at;
    KAS_TRY(kas_json_skip(&reader->scan));
    json_error_t error;
    *out = json_loadb(start, (size_t)(reader->scan.at - start), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                      &error);
    return *out ? NULL : kas_fail(KAS_MALFORMED, CALLER, "'%s': %s", what, error.text);
}

static kas_status read_text(infer_reader *reader, const char *what, const char **text, size_t *length)
{
    if (kas_json_peek(&reader->scan) != '"')
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'%s' must be a string", what);
    return kas_json_scan_string(&reader->scan, text, length);
}

/* ---- parameters ---- */

static kas_status take_alpha(infer_reader *reader, const char *name, const json_t *value)
{
    const char *digits = name + strlen("alpha.");
    char *end;
    unsigned long seed = strtoul(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end || seed >= KAS_MAX_SEEDS)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "parameter '%s': there is no such seed", name);
    double alpha = json_number_value(value);
    if (!json_is_number(value) || !(alpha >= 0 && alpha <= 1))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "parameter '%s' must be a number from 0 to 1", name);
    reader->alphas[seed] = (float)alpha;
    return NULL;
}

static kas_status take_parameter(infer_reader *reader, const char *name, const json_t *value)
{
    if (strncmp(name, "alpha.", 6) == 0) return take_alpha(reader, name, value);
    if (strcmp(name, "binary_data_output") != 0) return NULL; /* others are for servers that know them */
    if (!json_is_boolean(value))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'binary_data_output' must be true or false");
    if (!reader->output_says) reader->out->binary_output = json_is_true(value);
    return NULL;
}

static kas_status read_parameters(infer_reader *reader)
{
    json_t *tree;
    const char *name;
    json_t *value;
    kas_status status = NULL;
    KAS_TRY(read_tree(reader, "parameters", &tree));
    if (!json_is_object(tree))
        status = kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'parameters' must be an object");
    json_object_foreach(tree, name, value)
    {
        if (!status) status = take_parameter(reader, name, value);
    }
    json_decref(tree);
    return status;
}

/* ---- inputs ---- */

static kas_status read_binary_size(infer_reader *reader)
{
    json_t *tree;
    kas_status status = NULL;
    KAS_TRY(read_tree(reader, "parameters", &tree));
    const json_t *size = json_object_get(tree, "binary_data_size");
    if (size && (!json_is_integer(size) || json_integer_value(size) < 0))
        status = kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'binary_data_size' must be a whole number of bytes");
    else if (json_object_get(tree, "shared_memory_region"))
        status = kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shared memory is not enabled on this server");
    else if (size) {
        reader->out->binary = true;
        reader->out->binary_bytes = (size_t)json_integer_value(size);
    }
    json_decref(tree);
    return status;
}

static kas_status read_input_name(infer_reader *reader)
{
    const char *text;
    size_t length;
    KAS_TRY(read_text(reader, "name", &text, &length));
    if (!is_named(text, length, "input"))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "unexpected inference input '%.*s'; a layer has one, 'input'",
                        length > 64 ? 64 : (int)length, text);
    reader->out->has_input = true;
    return NULL;
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
    if (is_named(name, length, "name")) return read_input_name(reader);
    if (is_named(name, length, "datatype")) return read_datatype(reader);
    if (is_named(name, length, "parameters")) return read_binary_size(reader);
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

static kas_status take_output(infer_reader *reader, const json_t *output)
{
    const char *name = json_string_value(json_object_get(output, "name"));
    if (!name) return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a requested output must have a 'name'");
    if (strcmp(name, "output") != 0)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "unexpected inference output '%.64s'; a layer has one, 'output'", name);
    const json_t *parameters = json_object_get(output, "parameters");
    if (json_object_get(parameters, "shared_memory_region"))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "shared memory is not enabled on this server");
    if (json_object_get(parameters, "classification"))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the classification extension is not supported");
    const json_t *binary = json_object_get(parameters, "binary_data");
    if (binary && !json_is_boolean(binary))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "'binary_data' must be true or false");
    if (binary) {
        reader->output_says = true;
        reader->out->binary_output = json_is_true(binary);
    }
    return NULL;
}

static kas_status read_output(infer_reader *reader)
{
    json_t *tree;
    if (reader->has_outputs)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "output 'output' is requested twice");
    reader->has_outputs = true;
    KAS_TRY(read_tree(reader, "outputs", &tree));
    kas_status status = take_output(reader, tree);
    json_decref(tree);
    return status;
}

/* ---- the request ---- */

static kas_status take_request_member(infer_reader *reader, const char *name, size_t length)
{
    if (is_named(name, length, "id"))
        return read_text(reader, "id", &reader->out->id, &reader->out->id_length);
    if (is_named(name, length, "parameters")) return read_parameters(reader);
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
