/* What the archive tells of its input: an example of it, which tracing leaves in traced_inputs.pkl. It says
 * how wide a row is; how many rows it has says which sizes in the code are the batch's. */
#include <string.h>

#include "engine/artifact/torchscript_input.h"

static const uint8_t record[] = "traced_inputs.pkl";

/* restore_type_tag(value, "its type") */
static const kas_pickle_value *untag(const kas_pickle_value *value)
{
    if (!value || value->kind != KAS_PICKLE_OBJECT || !value->object.called) return value;
    if (!kas_span_is(value->object.type->name, "restore_type_tag")) return value;
    const kas_pickle_value *args = value->object.args;
    return args && args->kind == KAS_PICKLE_TUPLE && args->items.count > 0 ? args->items.at[0] : NULL;
}

/* {"forward": [tensor]} */
static const kas_pickle_tensor *find_example(const kas_pickle_value *root)
{
    const kas_pickle_value *inputs = untag(kas_pickle_get(untag(root), "forward"));
    if (!inputs || (inputs->kind != KAS_PICKLE_LIST && inputs->kind != KAS_PICKLE_TUPLE)) return NULL;
    if (inputs->items.count != 1 || inputs->items.at[0]->kind != KAS_PICKLE_TENSOR) return NULL;
    return inputs->items.at[0]->tensor;
}

static bool is_usable(const kas_pickle_tensor *tensor)
{
    if (tensor->rank < 2 || tensor->rank > KAS_MAX_RANK + 1) return false;
    for (int i = 0; i < tensor->rank; ++i)
        if (tensor->sizes[i] < 1 || tensor->sizes[i] > KAS_GRAPH_MAX_ELEMENTS) return false;
    return true;
}

kas_status kas_script_read_example(kas_torch_archive *archive, kas_script_example *out)
{
    const kas_pickle_value *root;
    *out = (kas_script_example){0};
    if (!kas_torch_archive_has(archive, (kas_span){record, sizeof record - 1})) return NULL;
    KAS_TRY(kas_torch_archive_unpickle(archive, (const char *)record, KAS_PICKLE_OPAQUE, &root));
    const kas_pickle_tensor *tensor = find_example(root);
    if (!tensor || !is_usable(tensor)) return NULL;
    out->batch = (int64_t)tensor->sizes[0];
    out->row.rank = tensor->rank - 1;
    for (int i = 1; i < tensor->rank; ++i)
        out->row.dims[i - 1] = (int64_t)tensor->sizes[i];
    return NULL;
}
