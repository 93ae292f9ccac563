#include "engine/artifact/torchsave_state.h"

#include <stdio.h>
#include <string.h>

#include "engine/artifact/refuse.h"

#define PREFIX "_orig_mod."
enum { NAME_BYTES = 96 };

/* ---- names ---- */

static kas_status check_keys(const kas_pickle_value *dict, bool *prefixed)
{
    *prefixed = dict->items.count > 0;
    for (size_t i = 0; i < dict->items.count; i += 2) {
        const kas_pickle_value *key = dict->items.at[i];
        if (key->kind != KAS_PICKLE_TEXT)
            return kas_refuse(KAS_REASON_MALFORMED, "a state dict has a key of type %s; its keys are strings",
                              kas_pickle_kind_name(key->kind));
        *prefixed = *prefixed && kas_span_begins(key->text, PREFIX);
    }
    return NULL;
}

kas_status kas_torch_state_find(kas_torch_archive *archive, const kas_pickle_value *root,
                                kas_torch_state *out)
{
    char text[KAS_PICKLE_DESCRIBED];
    const kas_pickle_value *member = kas_pickle_get(root, "state_dict"), *dict = member ? member : root;
    if (dict->kind != KAS_PICKLE_DICT)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%s is %s, not a state dict",
                          member ? "state_dict" : "what was saved",
                          kas_pickle_describe(dict, text, sizeof text));
    *out = (kas_torch_state){.archive = archive, .dict = dict};
    return check_keys(dict, &out->prefixed);
}

static const kas_pickle_value *find(const kas_torch_state *state, const char *name)
{
    char whole[NAME_BYTES];
    snprintf(whole, sizeof whole, "%s%s", state->prefixed ? PREFIX : "", name);
    return kas_pickle_get(state->dict, whole);
}

bool kas_torch_state_has(const kas_torch_state *state, const char *name)
{
    return find(state, name) != NULL;
}

static bool is_one_of(kas_span key, const char *const *names)
{
    while (*names && !kas_span_is(key, *names))
        ++names;
    return *names != NULL;
}

kas_status kas_torch_state_expect(const kas_torch_state *state, const char *const *names, const char *whole)
{
    const size_t skipped = state->prefixed ? strlen(PREFIX) : 0;
    for (size_t i = 0; i < state->dict->items.count; i += 2) {
        const kas_span text = state->dict->items.at[i]->text;
        const kas_span key = {text.data + skipped, text.size - skipped};
        if (!is_one_of(key, names))
            return kas_refuse(KAS_REASON_UNSUPPORTED, "the state dict's key \"%.*s\" does not belong to %s",
                              KAS_SPAN_ARGS(text), whole);
    }
    for (; *names; ++names)
        if (!find(state, *names))
            return kas_refuse(KAS_REASON_MALFORMED, "the state dict lacks \"%s\", which belongs to %s",
                              *names, whole);
    return NULL;
}

/* ---- tensors ---- */

static kas_status find_tensor(const kas_torch_state *state, const char *name, const kas_pickle_tensor **out)
{
    char text[KAS_PICKLE_DESCRIBED];
    const kas_pickle_value *value = find(state, name);
    if (!value) return kas_refuse(KAS_REASON_MALFORMED, "it is missing from the state dict");
    if (value->kind != KAS_PICKLE_TENSOR)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it is %s, not a tensor",
                          kas_pickle_describe(value, text, sizeof text));
    *out = value->tensor;
    if (kas_torch_dtype_is_float((*out)->dtype)) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "its dtype is %s; weights are of a floating-point type",
                      kas_torch_dtype_name((*out)->dtype));
}

static kas_status shape_of(const kas_pickle_tensor *tensor, kas_shape *out)
{
    if (tensor->rank > KAS_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "it has %d dimensions, the limit is %d", tensor->rank,
                          (int)KAS_MAX_RANK);
    out->rank = tensor->rank;
    for (int i = 0; i < tensor->rank; ++i)
        out->dims[i] = (int64_t)tensor->sizes[i];
    return NULL;
}

static bool same_shape(const kas_shape *a, const kas_shape *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; ++i)
        same = a->dims[i] == b->dims[i];
    return same;
}

static kas_status read_floats(const kas_torch_state *state, const char *name, const kas_shape *shape,
                              const char *meaning, float **out)
{
    char want[64], have[64];
    const kas_pickle_tensor *tensor;
    kas_shape own;
    KAS_TRY(find_tensor(state, name, &tensor));
    KAS_TRY(shape_of(tensor, &own));
    if (!same_shape(&own, shape))
        return kas_refuse(KAS_REASON_SHAPE, "its shape is %s, and should be %s = %s",
                          kas_shape_text(&own, have, sizeof have), meaning,
                          kas_shape_text(shape, want, sizeof want));
    return kas_torch_tensor_floats(state->archive, "data/", tensor, out);
}

kas_status kas_torch_state_floats(const kas_torch_state *state, const char *name, const kas_shape *shape,
                                  const char *meaning, float **out)
{
    return kas_annotate(read_floats(state, name, shape, meaning, out), "tensor \"%s\"", name);
}

kas_status kas_torch_state_shape(const kas_torch_state *state, const char *name, kas_shape *out)
{
    const kas_pickle_tensor *tensor;
    KAS_TRY(kas_annotate(find_tensor(state, name, &tensor), "tensor \"%s\"", name));
    return kas_annotate(shape_of(tensor, out), "tensor \"%s\"", name);
}
