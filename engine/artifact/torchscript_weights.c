/* The archive's tensors: constants of the graph, and how many of their elements are parameters. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

struct kas_script_weight {
    kas_script_weight *next; /* in its bucket */
    const char *folder;      /* "data/", "constants/": static */
    const kas_pickle_tensor *tensor;
    kas_script_value value; /* of the present graph; NONE: not made yet */
    bool counted;           /* as a parameter */
};

static bool same_elements(const kas_pickle_tensor *a, const kas_pickle_tensor *b)
{
    if (!kas_span_equal(a->storage->key, b->storage->key) || a->offset != b->offset || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; ++i)
        if (a->sizes[i] != b->sizes[i] || a->strides[i] != b->strides[i]) return false;
    return true;
}

static kas_status find_weight(kas_script_reader *reader, const char *folder, const kas_pickle_tensor *tensor,
                              kas_script_weight **out)
{
    const kas_span key = tensor->storage->key;
    const uint64_t hash = kas_fnv1a(key.data, key.size) + tensor->offset;
    kas_script_weight **bucket = &reader->weights[hash % KAS_SCRIPT_BUCKETS];
    void *room;
    for (*out = *bucket; *out; *out = (*out)->next) {
        if (strcmp((*out)->folder, folder) == 0 && same_elements((*out)->tensor, tensor)) return NULL;
        KAS_TRY(kas_script_spend(reader, 1));
    }
    KAS_TRY(kas_arena_take(reader->arena, 1, sizeof(kas_script_weight), &room));
    *out = room;
    **out = (kas_script_weight){.next = *bucket, .folder = folder, .tensor = tensor};
    *bucket = *out;
    return NULL;
}

void kas_script_forget_weights(kas_script_reader *reader)
{
    for (size_t i = 0; i < KAS_SCRIPT_BUCKETS; ++i)
        for (kas_script_weight *weight = reader->weights[i]; weight; weight = weight->next)
            weight->value = (kas_script_value){0};
}

/* ---- values ---- */

static kas_status number_of_tensor(kas_script_reader *reader, const kas_script_weight *weight,
                                   kas_script_value *out)
{
    double *number;
    int64_t *integer;
    if (kas_torch_dtype_is_float(weight->tensor->dtype)) {
        KAS_TRY(kas_torch_tensor_doubles(&reader->archive, weight->folder, weight->tensor, &number));
        *out = kas_script_of_float(*number);
        kas_free(number);
        return NULL;
    }
    KAS_TRY(kas_torch_tensor_integers(&reader->archive, weight->folder, weight->tensor, &integer));
    *out = weight->tensor->dtype == KAS_TORCH_BOOL ? kas_script_of_bool(*integer != 0)
                                                   : kas_script_of_int(*integer);
    kas_free(integer);
    return NULL;
}

static kas_status shape_of_tensor(const kas_pickle_tensor *tensor, kas_reader_value *value, kas_shape *row)
{
    if (tensor->elements == 0) return kas_refuse(KAS_REASON_SHAPE, "the tensor is empty: its size is zero");
    value->rank = tensor->rank;
    for (int i = 0; i < tensor->rank; ++i)
        value->dims[i] = (int64_t)tensor->sizes[i];
    return kas_reader_row_shape(value, row);
}

static kas_status check_parameters(kas_script_reader *reader, uint64_t elements)
{
    const uint64_t limit = reader->lower.limits->parameters;
    reader->weight_elements += elements; /* of tensors in memory, each below 2^26: no overflow */
    if (reader->weight_elements <= limit) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "%llu parameters are over the limit of %llu",
                      (unsigned long long)reader->weight_elements, (unsigned long long)limit);
}

static kas_status constant_of_tensor(kas_script_reader *reader, const kas_script_weight *weight,
                                     kas_script_value *out)
{
    const kas_pickle_tensor *tensor = weight->tensor;
    char name[KAS_SPAN_SHOWN + 16];
    kas_reader_value *value;
    kas_shape shape;
    float *values;
    if (!kas_torch_dtype_is_number(tensor->dtype))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a tensor of %s is not supported",
                          kas_torch_dtype_name(tensor->dtype));
    KAS_TRY(kas_reader_value_new(&reader->lower, NULL, &value));
    value->type = kas_torch_dtype_is_float(tensor->dtype) ? KAS_ONNX_FLOAT : KAS_ONNX_INT64;
    KAS_TRY(shape_of_tensor(tensor, value, &shape));
    KAS_TRY(check_parameters(reader, tensor->elements));
    KAS_TRY(kas_torch_tensor_floats(&reader->archive, weight->folder, tensor, &values));
    snprintf(name, sizeof name, "%s%.*s", weight->folder, KAS_SPAN_ARGS(tensor->storage->key));
    KAS_TRY(kas_reader_emit_constant(&reader->lower, name, &shape, values, &value->tensor));
    return kas_script_of_tensor(reader, value, true, out);
}

kas_status kas_script_weight_value(kas_script_reader *reader, const char *folder,
                                   const kas_pickle_tensor *tensor, kas_script_value *out)
{
    kas_script_weight *weight;
    KAS_TRY(find_weight(reader, folder, tensor, &weight));
    if (weight->value.kind == KAS_SCRIPT_VALUE_NONE)
        KAS_TRY(tensor->rank == 0 ? number_of_tensor(reader, weight, &weight->value)
                                  : constant_of_tensor(reader, weight, &weight->value));
    *out = weight->value;
    return NULL;
}

/* ---- parameters ---- */

typedef struct pending_module {
    const kas_pickle_object *object;
} pending_module;

typedef struct module_walk {
    kas_script_reader *reader;
    pending_module *pending; /* a stack: modules met and not yet looked into */
    size_t count, capacity;
    uint64_t total;
} module_walk;

static kas_status count_parameter(module_walk *walk, const kas_pickle_value *value)
{
    kas_script_weight *weight;
    if (!value || value->kind != KAS_PICKLE_TENSOR) return NULL; /* None, for a bias that there is not */
    KAS_TRY(find_weight(walk->reader, "data/", value->tensor, &weight));
    if (!weight->counted) walk->total += value->tensor->elements;
    weight->counted = true;
    return NULL;
}

/* The names that the class lists in __parameters__. */
static kas_status count_listed(module_walk *walk, const kas_pickle_object *object)
{
    const kas_script_class *type;
    KAS_TRY(kas_script_find_class(walk->reader, object, &type));
    for (const kas_script_constant *constant = type->constants; constant; constant = constant->next) {
        KAS_TRY(kas_script_spend(walk->reader, 1));
        if (!kas_span_is(constant->name, "__parameters__") || constant->value->kind != KAS_SCRIPT_LIST)
            continue;
        for (const kas_script_expression *name = constant->value->first; name; name = name->next) {
            KAS_TRY(kas_script_spend(walk->reader, object->state->items.count));
            if (name->kind == KAS_SCRIPT_STRING)
                KAS_TRY(count_parameter(walk, kas_pickle_get_span(object->state, name->text)));
        }
    }
    return NULL;
}

static kas_status push(module_walk *walk, const kas_pickle_object *object)
{
    void *room;
    if (walk->count == walk->capacity) {
        const size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
        KAS_TRY(kas_arena_take(walk->reader->arena, capacity, sizeof *walk->pending, &room));
        if (walk->count) memcpy(room, walk->pending, walk->count * sizeof *walk->pending);
        walk->pending = room;
        walk->capacity = capacity;
    }
    walk->pending[walk->count++].object = object;
    return NULL;
}

static kas_status look_into(module_walk *walk, const kas_pickle_object *object)
{
    if (!object->state || object->state->kind != KAS_PICKLE_DICT) return NULL; /* no module: a class of C++ */
    const kas_pickle_items *items = &object->state->items;
    KAS_TRY(kas_script_spend(walk->reader, items->count + 1));
    KAS_TRY(count_listed(walk, object));
    for (size_t i = 1; i < items->count; i += 2)
        if (items->at[i]->kind == KAS_PICKLE_OBJECT) KAS_TRY(push(walk, &items->at[i]->object));
    return NULL;
}

/* A frozen module has no parameters: its weights are constants of the code. */
static uint64_t count_constants(const kas_script_reader *reader)
{
    uint64_t total = 0;
    for (size_t i = 0; i < KAS_SCRIPT_BUCKETS; ++i)
        for (const kas_script_weight *weight = reader->weights[i]; weight; weight = weight->next)
            if (weight->value.kind == KAS_SCRIPT_VALUE_TENSOR) total += weight->tensor->elements;
    return total;
}

/* A module at several places is looked into at each; steps bound what cycles and sharing can cost. */
kas_status kas_script_count_parameters(kas_script_reader *reader, uint64_t *out)
{
    module_walk walk = {.reader = reader};
    KAS_TRY(push(&walk, reader->root));
    while (walk.count > 0)
        KAS_TRY(look_into(&walk, walk.pending[--walk.count].object));
    *out = walk.total ? walk.total : count_constants(reader);
    return NULL;
}
