/* Values of the evaluation. */
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

const char *kas_script_kind_name(kas_script_value_kind kind)
{
    static const char *const names[] = {
        [KAS_SCRIPT_VALUE_NONE] = "None",
        [KAS_SCRIPT_VALUE_BOOL] = "a bool",
        [KAS_SCRIPT_VALUE_INT] = "an int",
        [KAS_SCRIPT_VALUE_FLOAT] = "a float",
        [KAS_SCRIPT_VALUE_TEXT] = "a string",
        [KAS_SCRIPT_VALUE_LIST] = "a list",
        [KAS_SCRIPT_VALUE_TUPLE] = "a tuple",
        [KAS_SCRIPT_VALUE_TENSOR] = "a tensor",
        [KAS_SCRIPT_VALUE_OBJECT] = "an object",
        [KAS_SCRIPT_VALUE_FUNCTION] = "a function",
        [KAS_SCRIPT_VALUE_UNINITIALIZED] = "an uninitialized value",
    };
    return names[kind];
}

kas_script_value kas_script_of_int(int64_t integer)
{
    return (kas_script_value){.kind = KAS_SCRIPT_VALUE_INT, .integer = {.value = integer}};
}

kas_script_value kas_script_of_float(double number)
{
    return (kas_script_value){.kind = KAS_SCRIPT_VALUE_FLOAT, .number = number};
}

kas_script_value kas_script_of_bool(bool boolean)
{
    return (kas_script_value){.kind = KAS_SCRIPT_VALUE_BOOL, .boolean = boolean};
}

/* ---- lists ---- */

kas_status kas_script_list_new(kas_script_reader *reader, kas_script_value_kind kind, size_t capacity,
                               kas_script_value *out)
{
    void *room;
    KAS_TRY(kas_arena_take(reader->arena, 1, sizeof(kas_script_list), &room));
    kas_script_list *list = room;
    if (capacity) KAS_TRY(kas_arena_take(reader->arena, capacity, sizeof *list->items, &room));
    if (capacity) list->items = room;
    list->capacity = capacity;
    *out = (kas_script_value){.kind = kind, .list = list};
    return NULL;
}

kas_status kas_script_list_append(kas_script_reader *reader, kas_script_list *list, kas_script_value item)
{
    void *room;
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 4;
        KAS_TRY(kas_arena_take(reader->arena, capacity, sizeof *list->items, &room));
        if (list->count) memcpy(room, list->items, list->count * sizeof *list->items);
        list->items = room;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return NULL;
}

kas_status kas_script_of_tensor(kas_script_reader *reader, kas_reader_value *tensor, bool shared,
                                kas_script_value *out)
{
    void *room;
    KAS_TRY(kas_arena_take(reader->arena, 1, sizeof(kas_script_tensor), &room));
    *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_TENSOR, .tensor = room};
    *out->tensor = (kas_script_tensor){.value = tensor, .shared = shared};
    return NULL;
}

/* ---- from pickles ---- */

static kas_status list_of_pickle(kas_script_reader *reader, const char *folder, const kas_pickle_value *value,
                                 kas_script_value *out)
{
    const bool is_tuple = value->kind == KAS_PICKLE_TUPLE;
    if (reader->depth_left == 0) return kas_refuse(KAS_REASON_LIMIT, "a list is nested too deep");
    KAS_TRY(kas_script_list_new(reader, is_tuple ? KAS_SCRIPT_VALUE_TUPLE : KAS_SCRIPT_VALUE_LIST,
                                value->items.count, out));
    out->list->is_state = true;
    for (size_t i = 0; i < value->items.count; ++i) {
        kas_script_value item;
        KAS_TRY(kas_script_spend(reader, 1));
        --reader->depth_left;
        kas_status status = kas_script_of_pickle(reader, folder, value->items.at[i], &item);
        ++reader->depth_left;
        if (status) return status;
        KAS_TRY(kas_script_list_append(reader, out->list, item));
    }
    return NULL;
}

kas_status kas_script_of_pickle(kas_script_reader *reader, const char *folder, const kas_pickle_value *value,
                                kas_script_value *out)
{
    char text[KAS_PICKLE_DESCRIBED];
    *out = (kas_script_value){0};
    switch (value->kind) {
    case KAS_PICKLE_NONE:
        return NULL;
    case KAS_PICKLE_BOOL:
        *out = kas_script_of_bool(value->boolean);
        return NULL;
    case KAS_PICKLE_INT:
        *out = kas_script_of_int(value->integer);
        return NULL;
    case KAS_PICKLE_FLOAT:
        *out = kas_script_of_float(value->number);
        return NULL;
    case KAS_PICKLE_TEXT:
        *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_TEXT, .text = value->text};
        return NULL;
    case KAS_PICKLE_TUPLE:
    case KAS_PICKLE_LIST:
        return list_of_pickle(reader, folder, value, out);
    case KAS_PICKLE_TENSOR:
        return kas_script_weight_value(reader, folder, value->tensor, out);
    case KAS_PICKLE_OBJECT:
        *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_OBJECT, .object = &value->object};
        return NULL;
    default:
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%s is not supported here",
                          kas_pickle_describe(value, text, sizeof text));
    }
}

/* ---- conditions ---- */

kas_status kas_script_truth(const kas_script_value *value, bool *out)
{
    *out = false;
    switch (value->kind) {
    case KAS_SCRIPT_VALUE_BOOL:
        *out = value->boolean;
        return NULL;
    case KAS_SCRIPT_VALUE_INT:
        *out = value->integer.value != 0;
        if (value->integer.kind == KAS_INTEGER_KNOWN) return NULL;
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the condition depends on the size of the batch");
    case KAS_SCRIPT_VALUE_FLOAT:
        *out = value->number != 0;
        return NULL;
    case KAS_SCRIPT_VALUE_TENSOR:
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "the condition depends on the data: it is a tensor's value");
    default:
        return kas_refuse(KAS_REASON_MALFORMED, "the condition is %s", kas_script_kind_name(value->kind));
    }
}

bool kas_script_number(const kas_script_value *value, double *out)
{
    *out = 0;
    if (value->kind == KAS_SCRIPT_VALUE_FLOAT) *out = value->number;
    if (value->kind == KAS_SCRIPT_VALUE_BOOL) *out = value->boolean;
    if (value->kind == KAS_SCRIPT_VALUE_INT) *out = (double)value->integer.value;
    if (value->kind == KAS_SCRIPT_VALUE_INT) return value->integer.kind == KAS_INTEGER_KNOWN;
    return value->kind == KAS_SCRIPT_VALUE_FLOAT || value->kind == KAS_SCRIPT_VALUE_BOOL;
}
