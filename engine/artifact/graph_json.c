#include "engine/artifact/graph_json.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"

enum { MAX_MEMBERS = 8 };

/* ---- values ---- */

static kas_status wrong_type(const char *expected)
{
    return kas_refuse(KAS_REASON_MALFORMED, "it is no %s", expected);
}

static kas_status read_integer(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value)) return wrong_type("integer");
    *out = json_integer_value(value);
    return NULL;
}

static kas_status read_small(const json_t *value, int *out)
{
    int64_t wide;
    KAS_TRY(read_integer(value, &wide));
    if (wide < 0 || wide > INT32_MAX)
        return kas_refuse(KAS_REASON_MALFORMED, "%lld is out of range", (long long)wide);
    *out = (int)wide;
    return NULL;
}

static kas_status read_float(const json_t *value, float *out)
{
    if (!json_is_number(value)) return wrong_type("number");
    *out = (float)json_number_value(value);
    if (isfinite(*out)) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "%g does not fit float32", json_number_value(value));
}

static kas_status read_bool(const json_t *value, bool *out)
{
    if (!json_is_boolean(value)) return wrong_type("boolean");
    *out = json_is_true(value);
    return NULL;
}

static kas_status read_integers(const json_t *value, size_t most, int64_t *out, size_t *count)
{
    if (!json_is_array(value)) return wrong_type("array of integers");
    *count = json_array_size(value);
    if (*count > most)
        return kas_refuse(KAS_REASON_LIMIT, "it has %zu members, the limit is %zu", *count, most);
    for (size_t i = 0; i < *count; ++i)
        KAS_TRY(read_integer(json_array_get(value, i), &out[i]));
    return NULL;
}

kas_status kas_graph_json_shape(const json_t *value, kas_shape *out)
{
    size_t rank;
    KAS_TRY(read_integers(value, KAS_MAX_RANK, out->dims, &rank));
    out->rank = (int)rank;
    return NULL;
}

/* The position of a name among `count` of them. */
static kas_status read_name(const json_t *value, const char *(*name_of)(int index), int count, int *out)
{
    const char *name = json_string_value(value);
    if (!name) return wrong_type("string");
    for (*out = 0; *out < count; ++*out)
        if (strcmp(name_of(*out), name) == 0) return NULL;
    return kas_refuse(KAS_REASON_OPERATOR, "\"%.64s\" is not known", name);
}

static const char *op_name(int index)
{
    return kas_op_name((kas_op)index);
}

static const char *act_name(int index)
{
    return kas_act_name((kas_act)index);
}

static const char *binary_name(int index)
{
    return kas_binary_name((kas_binary)index);
}

static const char *reduce_name(int index)
{
    return kas_reduce_name((kas_reduce)index);
}

/* ---- members ---- */

static kas_status read_act(const json_t *value, kas_node *out)
{
    int act;
    KAS_TRY(read_name(value, act_name, KAS_ACT_COUNT, &act));
    out->act = (kas_act)act;
    return NULL;
}

static kas_status read_a(const json_t *value, kas_node *out)
{
    return read_float(value, &out->act_a);
}

static kas_status read_b(const json_t *value, kas_node *out)
{
    return read_float(value, &out->act_b);
}

static kas_status read_function(const json_t *value, kas_node *out)
{
    int function;
    if (out->op == KAS_OP_REDUCE) {
        KAS_TRY(read_name(value, reduce_name, KAS_REDUCE_PROD + 1, &function));
        out->reduce = (kas_reduce)function;
        return NULL;
    }
    KAS_TRY(read_name(value, binary_name, KAS_BINARY_COUNT, &function));
    out->binary = (kas_binary)function;
    return NULL;
}

static kas_status read_axis(const json_t *value, kas_node *out)
{
    return read_small(value, &out->axis);
}

static kas_status read_centred(const json_t *value, kas_node *out)
{
    return read_bool(value, &out->centred);
}

static kas_status read_epsilon(const json_t *value, kas_node *out)
{
    return read_float(value, &out->epsilon);
}

static kas_status read_value(const json_t *value, kas_node *out)
{
    return read_float(value, &out->value);
}

static kas_status read_offset(const json_t *value, kas_node *out)
{
    return read_integer(value, &out->offset);
}

/* One number for each spatial dimension; the kernel, which comes first, says how many there are. */
static kas_status read_spatial(const json_t *value, const kas_node *node, int64_t out[2])
{
    size_t count;
    KAS_TRY(read_integers(value, 2, out, &count));
    if ((int)count == node->window.spatial) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "it has %zu members, the kernel has %d", count, node->window.spatial);
}

static kas_status read_kernel(const json_t *value, kas_node *out)
{
    size_t count;
    KAS_TRY(read_integers(value, 2, out->window.kernel, &count));
    if (count == 0) return kas_refuse(KAS_REASON_SHAPE, "it is empty");
    out->window.spatial = (int)count;
    return NULL;
}

static kas_status read_stride(const json_t *value, kas_node *out)
{
    size_t count;
    if (out->op == KAS_OP_STRIDED) return read_integers(value, KAS_MAX_RANK, out->stride, &count);
    return read_spatial(value, out, out->window.stride);
}

static kas_status read_dilation(const json_t *value, kas_node *out)
{
    return read_spatial(value, out, out->window.dilation);
}

static kas_status read_before(const json_t *value, kas_node *out)
{
    size_t count;
    if (out->op == KAS_OP_PAD) return read_integers(value, KAS_MAX_RANK, out->before, &count);
    return read_spatial(value, out, out->window.before);
}

static kas_status read_after(const json_t *value, kas_node *out)
{
    return read_spatial(value, out, out->window.after);
}

static kas_status read_groups(const json_t *value, kas_node *out)
{
    return read_integer(value, &out->window.groups);
}

static kas_status read_average(const json_t *value, kas_node *out)
{
    return read_bool(value, &out->window.average);
}

static kas_status read_count_padding(const json_t *value, kas_node *out)
{
    return read_bool(value, &out->window.count_padding);
}

static kas_status fill_indices(const json_t *value, int32_t *indices)
{
    int64_t wide;
    for (size_t i = 0; i < json_array_size(value); ++i) {
        KAS_TRY(read_integer(json_array_get(value, i), &wide));
        if (wide < 0 || wide > INT32_MAX)
            return kas_refuse(KAS_REASON_SHAPE, "%lld is out of range", (long long)wide);
        indices[i] = (int32_t)wide;
    }
    return NULL;
}

static kas_status read_indices(const json_t *value, kas_node *out)
{
    const size_t count = json_array_size(value);
    if (count == 0) return wrong_type("array of integers, or is empty");
    out->indices = kas_alloc_array(count, sizeof *out->indices);
    if (!out->indices) return kas_out_of_memory();
    out->index_count = count;
    return fill_indices(value, out->indices);
}

static const struct {
    const char *name;
    kas_status (*read)(const json_t *value, kas_node *out);
} members[] = {
    /* in the order in which they are read */
    {"act", read_act},
    {"a", read_a},
    {"b", read_b},
    {"function", read_function},
    {"axis", read_axis},
    {"axes", read_axis}, /* of norm: how many last dimensions */
    {"centred", read_centred},
    {"epsilon", read_epsilon},
    {"value", read_value},
    {"kernel", read_kernel},
    {"stride", read_stride},
    {"dilation", read_dilation},
    {"before", read_before},
    {"after", read_after},
    {"groups", read_groups},
    {"average", read_average},
    {"count_padding", read_count_padding},
    {"offset", read_offset},
    {"indices", read_indices},
};

/* ---- operators ---- */

/* What members an operator has; those with a '?' may be left out. */
static const char *const operators[KAS_OP_COUNT][MAX_MEMBERS + 1] = {
    [KAS_OP_LINEAR] = {"act?", "a?", "b?"},
    [KAS_OP_MATMUL] = {NULL},
    [KAS_OP_UNARY] = {"act", "a?", "b?"},
    [KAS_OP_BINARY] = {"function", "act?", "a?", "b?"},
    [KAS_OP_SELECT] = {NULL},
    [KAS_OP_SOFTMAX] = {"axis"},
    [KAS_OP_NORM] = {"axes", "epsilon", "centred"},
    [KAS_OP_REDUCE] = {"function", "axis"},
    [KAS_OP_CONV] = {"kernel", "stride?", "dilation?", "before?", "after?", "groups?", "act?", "a?"},
    [KAS_OP_POOL] = {"kernel", "average", "stride?", "dilation?", "before?", "after?", "count_padding?"},
    [KAS_OP_STRIDED] = {"stride", "offset?"},
    [KAS_OP_CONCAT] = {"axis"},
    [KAS_OP_GATHER] = {"axis", "indices"},
    [KAS_OP_PAD] = {"before", "value?"},
};

static bool is_named(const char *listed, const char *name)
{
    const size_t length = strcspn(listed, "?");
    return strlen(name) == length && memcmp(listed, name, length) == 0;
}

static bool has_member(const char *const *list, const char *name)
{
    while (*list && !is_named(*list, name))
        ++list;
    return *list != NULL;
}

/* Every node has these; they are not of the operator. */
static bool is_common(const char *name)
{
    return strcmp(name, "op") == 0 || strcmp(name, "in") == 0 || strcmp(name, "out") == 0 ||
           strcmp(name, "shape") == 0;
}

static kas_status check_members(const json_t *object, kas_op op)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!is_common(key) && !has_member(operators[op], key))
            return kas_refuse(KAS_REASON_MALFORMED, "%s has no member \"%.32s\"", kas_op_name(op), key);
    }
    for (const char *const *listed = operators[op]; *listed; ++listed)
        if (!strchr(*listed, '?') && !json_object_get(object, *listed))
            return kas_refuse(KAS_REASON_MALFORMED, "%s lacks the member \"%s\"", kas_op_name(op), *listed);
    return NULL;
}

static kas_status read_members(const json_t *object, kas_node *out)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; ++i) {
        const json_t *value = json_object_get(object, members[i].name);
        if (value) KAS_TRY(kas_annotate(members[i].read(value, out), "\"%s\"", members[i].name));
    }
    return NULL;
}

kas_status kas_graph_json_node(const json_t *object, kas_node *out)
{
    int op;
    if (!json_is_object(object)) return kas_refuse(KAS_REASON_MALFORMED, "it is no JSON object");
    KAS_TRY(kas_annotate(read_name(json_object_get(object, "op"), op_name, KAS_OP_COUNT, &op), "\"op\""));
    *out = (kas_node){.op = (kas_op)op, .window = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
    KAS_TRY(check_members(object, out->op));
    kas_status status = read_members(object, out);
    if (!status) return NULL;
    kas_free(out->indices);
    out->indices = NULL;
    return status;
}
