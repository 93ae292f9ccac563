/* What a node says: its attributes, inputs and outputs. */
#include <math.h>
#include <string.h>

#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

const kas_onnx_attribute *kas_onnx_attribute_find(const kas_onnx_call *call, const char *name)
{
    for (size_t i = 0; i < call->attribute_count; ++i)
        if (kas_span_is(call->attributes[i].name, name)) return &call->attributes[i];
    return NULL;
}

static kas_status find_typed(const kas_onnx_call *call, const char *name, kas_onnx_attribute_type type,
                             const kas_onnx_attribute **out)
{
    *out = kas_onnx_attribute_find(call, name);
    if (!*out || (*out)->type == (int32_t)type) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the attribute %s has type %d, not %d", name, (int)(*out)->type,
                      (int)type);
}

kas_status kas_onnx_attribute_int(const kas_onnx_call *call, const char *name, int64_t absent, int64_t *out)
{
    const kas_onnx_attribute *attribute;
    KAS_TRY(find_typed(call, name, KAS_ONNX_ATTRIBUTE_INT, &attribute));
    *out = attribute ? attribute->i : absent;
    return NULL;
}

kas_status kas_onnx_attribute_float(const kas_onnx_call *call, const char *name, float absent, float *out)
{
    const kas_onnx_attribute *attribute;
    KAS_TRY(find_typed(call, name, KAS_ONNX_ATTRIBUTE_FLOAT, &attribute));
    *out = attribute ? attribute->f : absent;
    if (isfinite(*out)) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "the attribute %s is %f, it must be finite", name, (double)*out);
}

kas_status kas_onnx_attribute_text(const kas_onnx_call *call, const char *name, const char *absent,
                                   kas_span *out)
{
    const kas_onnx_attribute *attribute;
    KAS_TRY(find_typed(call, name, KAS_ONNX_ATTRIBUTE_STRING, &attribute));
    *out = attribute ? attribute->s : (kas_span){.data = (const uint8_t *)absent, .size = strlen(absent)};
    return NULL;
}

kas_status kas_onnx_attribute_ints(const kas_onnx_call *call, const char *name, const int64_t **out,
                                   size_t *count)
{
    const kas_onnx_attribute *attribute;
    KAS_TRY(find_typed(call, name, KAS_ONNX_ATTRIBUTE_INTS, &attribute));
    *out = attribute ? attribute->ints : NULL;
    *count = attribute ? attribute->int_count : 0;
    return NULL;
}

kas_reader_value *kas_onnx_input(const kas_onnx_call *call, size_t index)
{
    return index < call->input_count ? call->inputs[index] : NULL;
}

bool kas_onnx_has_output(const kas_onnx_call *call, size_t index)
{
    return index < call->node->output_count && call->node->outputs[index].size > 0;
}

kas_status kas_onnx_output(kas_onnx_call *call, size_t index, kas_reader_value *value)
{
    if (!kas_onnx_has_output(call, index)) return NULL;
    value->name = call->node->outputs[index];
    return kas_onnx_bind(call->reader, value->name, value);
}

kas_status kas_onnx_list(kas_onnx_call *call, const char *attribute, size_t input, int64_t *out,
                         size_t *count, bool *given)
{
    const int64_t *ints;
    KAS_TRY(kas_onnx_attribute_ints(call, attribute, &ints, count));
    *given = ints != NULL;
    if (ints && *count) memcpy(out, ints, *count * sizeof *out);
    if (ints || !kas_onnx_input(call, input)) return NULL;
    *given = true;
    return kas_reader_known_integers(call->reader, kas_onnx_input(call, input), attribute, out, count);
}

kas_status kas_reader_axis(int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return kas_refuse(KAS_REASON_SHAPE, "the axis %lld is out of range for rank %d", (long long)axis,
                          rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return NULL;
}
