/* Storages by persistent id, and tensors as views of them. Every number is checked here, so that who reads a
 * tensor needs to check none. */
#include "base/alloc.h"
#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

/* ---- storages ---- */

enum { PERSISTENT_MEMBERS = 5 }; /* "storage", its type, its key, its location, its elements */

/* It becomes part of a record's name. */
static kas_status check_key(kas_span key)
{
    for (size_t i = 0; i < key.size; ++i) {
        const uint8_t c = key.data[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
            c == '-')
            continue;
        return kas_refuse(KAS_REASON_MALFORMED, "the storage's key \"%.*s\" is no plain name",
                          KAS_SPAN_ARGS(key));
    }
    return key.size ? NULL : kas_refuse(KAS_REASON_MALFORMED, "the storage's key is empty");
}

static kas_status read_type(const kas_pickle_global *type, kas_torch_dtype *out)
{
    const bool untyped =
        kas_span_is(type->module, "torch.storage") && kas_span_is(type->name, "UntypedStorage");
    if (untyped) {
        *out = KAS_TORCH_UINT8;
        return NULL;
    }
    if (kas_span_is(type->module, "torch") && kas_torch_dtype_of_storage(type->name, out)) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the storage type %.*s.%.*s is not known",
                      KAS_SPAN_ARGS(type->module), KAS_SPAN_ARGS(type->name));
}

static kas_status read_elements(const kas_pickle_value *value, kas_torch_dtype dtype, uint64_t *out)
{
    size_t bytes;
    if (value->kind == KAS_PICKLE_INT && value->integer < 0)
        return kas_refuse(KAS_REASON_MALFORMED, "the storage's size is negative: %lld elements",
                          (long long)value->integer);
    if (value->kind != KAS_PICKLE_INT ||
        !kas_mul((size_t)value->integer, kas_torch_dtype_bytes(dtype), &bytes))
        return kas_refuse(KAS_REASON_LIMIT, "the storage's size is no integer, or too large");
    *out = (uint64_t)value->integer;
    return NULL;
}

static kas_status read_storage(const kas_pickle_items *id, kas_pickle_storage *out)
{
    kas_pickle_value *const *at = id->at;
    if (id->count < PERSISTENT_MEMBERS || at[0]->kind != KAS_PICKLE_TEXT ||
        !kas_span_is(at[0]->text, "storage"))
        return kas_refuse(KAS_REASON_MALFORMED,
                          "a persistent id of %zu members that does not describe a storage", id->count);
    if (at[1]->kind != KAS_PICKLE_GLOBAL || at[2]->kind != KAS_PICKLE_TEXT || at[3]->kind != KAS_PICKLE_TEXT)
        return kas_refuse(KAS_REASON_MALFORMED, "a persistent id whose storage has no type, key or location");
    KAS_TRY(read_type(&at[1]->global, &out->dtype));
    KAS_TRY(check_key(at[2]->text));
    out->key = at[2]->text;
    out->location = at[3]->text;
    return read_elements(at[4], out->dtype, &out->elements);
}

kas_status kas_pickle_do_binpersid(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *id, *value;
    void *storage;
    (void)argument;
    KAS_TRY(kas_pickle_pop(machine, &id));
    if (id->kind != KAS_PICKLE_TUPLE)
        return kas_refuse(KAS_REASON_MALFORMED, "a persistent id that is no tuple: a %s",
                          kas_pickle_kind_name(id->kind));
    KAS_TRY(kas_arena_take(machine->arena, 1, sizeof *value->storage, &storage));
    KAS_TRY(read_storage(&id->items, storage));
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_STORAGE, &value));
    value->storage = storage;
    return NULL;
}

/* ---- tensors ---- */

enum { ARGUMENT_STORAGE, ARGUMENT_OFFSET, ARGUMENT_SIZES, ARGUMENT_STRIDES, V2_ARGUMENTS = 6, V3_DTYPE = 6 };

static kas_status read_count(const kas_pickle_value *value, const char *what, uint64_t *out)
{
    if (value->kind != KAS_PICKLE_INT)
        return kas_refuse(KAS_REASON_MALFORMED, "%s is no integer within 64 bits: out of range", what);
    if (value->integer < 0)
        return kas_refuse(KAS_REASON_MALFORMED, "%s is negative: %lld", what, (long long)value->integer);
    *out = (uint64_t)value->integer;
    return NULL;
}

static kas_status read_counts(const kas_pickle_value *value, const char *what, const char *one, uint64_t *out,
                              int *rank)
{
    if (value->kind != KAS_PICKLE_TUPLE)
        return kas_refuse(KAS_REASON_MALFORMED, "%s are no tuple: a %s", what,
                          kas_pickle_kind_name(value->kind));
    if (value->items.count > KAS_PICKLE_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "%s: %zu dimensions, over the limit of %d", what,
                          value->items.count, (int)KAS_PICKLE_MAX_RANK);
    *rank = (int)value->items.count;
    for (int i = 0; i < *rank; ++i)
        KAS_TRY(read_count(value->items.at[i], one, &out[i]));
    return NULL;
}

static kas_status count_elements(kas_pickle_tensor *tensor)
{
    tensor->elements = 1;
    for (int i = 0; i < tensor->rank; ++i)
        if (tensor->sizes[i] == 0) tensor->elements = 0;
    for (int i = 0; tensor->elements && i < tensor->rank; ++i)
        if (__builtin_mul_overflow(tensor->elements, tensor->sizes[i], &tensor->elements) ||
            tensor->elements > KAS_PICKLE_MAX_ELEMENTS)
            return kas_refuse(KAS_REASON_LIMIT, "its size is too large: over the limit of %llu elements",
                              KAS_PICKLE_MAX_ELEMENTS);
    return NULL;
}

/* The element furthest into the storage is that with the last index in every dimension: no stride is
 * negative. */
static kas_status check_extent(const kas_pickle_tensor *tensor, uint64_t storage_elements)
{
    uint64_t last = tensor->offset, step;
    bool beyond = tensor->offset > storage_elements;
    if (beyond)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "its offset %llu is beyond the end of its storage of %llu elements",
                          (unsigned long long)tensor->offset, (unsigned long long)storage_elements);
    if (tensor->elements == 0) return NULL;
    for (int i = 0; i < tensor->rank && !beyond; ++i)
        beyond = __builtin_mul_overflow(tensor->sizes[i] - 1, tensor->strides[i], &step) ||
                 __builtin_add_overflow(last, step, &last);
    if (!beyond && last < storage_elements) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "by its sizes and strides it goes beyond the end of its storage of %llu elements",
                      (unsigned long long)storage_elements);
}

static kas_status read_view(const kas_pickle_items *args, kas_pickle_tensor *out)
{
    int strides;
    KAS_TRY(read_count(args->at[ARGUMENT_OFFSET], "the offset", &out->offset));
    KAS_TRY(read_counts(args->at[ARGUMENT_SIZES], "the sizes", "a size", out->sizes, &out->rank));
    KAS_TRY(read_counts(args->at[ARGUMENT_STRIDES], "the strides", "a stride", out->strides, &strides));
    if (strides != out->rank)
        return kas_refuse(KAS_REASON_MALFORMED, "it has %d sizes and %d strides", out->rank, strides);
    KAS_TRY(count_elements(out));
    const uint64_t bytes = out->storage->elements * kas_torch_dtype_bytes(out->storage->dtype);
    return check_extent(out, bytes / kas_torch_dtype_bytes(out->dtype));
}

static kas_status begin_tensor(kas_pickle_machine *machine, const kas_pickle_items *args, size_t needed,
                               kas_pickle_value **out)
{
    void *tensor;
    if (args->count < needed)
        return kas_refuse(KAS_REASON_MALFORMED, "%zu arguments; %zu are needed", args->count, needed);
    if (args->at[ARGUMENT_STORAGE]->kind != KAS_PICKLE_STORAGE)
        return kas_refuse(KAS_REASON_MALFORMED, "its first argument is a %s, not a storage",
                          kas_pickle_kind_name(args->at[ARGUMENT_STORAGE]->kind));
    KAS_TRY(kas_arena_take(machine->arena, 1, sizeof *(*out)->tensor, &tensor));
    KAS_TRY(kas_pickle_new(machine, KAS_PICKLE_TENSOR, out));
    (*out)->tensor = tensor;
    (*out)->tensor->storage = args->at[ARGUMENT_STORAGE]->storage;
    return NULL;
}

kas_status kas_pickle_rebuild_tensor_v2(kas_pickle_machine *machine, const kas_pickle_items *args,
                                        kas_pickle_value **out)
{
    KAS_TRY(begin_tensor(machine, args, V2_ARGUMENTS, out));
    (*out)->tensor->dtype = (*out)->tensor->storage->dtype;
    return read_view(args, (*out)->tensor);
}

/* Of types that have no storage class of their own: the storage counts bytes, a global names the type. */
kas_status kas_pickle_rebuild_tensor_v3(kas_pickle_machine *machine, const kas_pickle_items *args,
                                        kas_pickle_value **out)
{
    KAS_TRY(begin_tensor(machine, args, V3_DTYPE + 1, out));
    const kas_pickle_value *dtype = args->at[V3_DTYPE];
    if (dtype->kind != KAS_PICKLE_GLOBAL || !kas_span_is(dtype->global.module, "torch"))
        return kas_refuse(KAS_REASON_MALFORMED, "its dtype is no global of torch");
    if (!kas_torch_dtype_parse(dtype->global.name, &(*out)->tensor->dtype))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the dtype torch.%.*s is not known",
                          KAS_SPAN_ARGS(dtype->global.name));
    return read_view(args, (*out)->tensor);
}
