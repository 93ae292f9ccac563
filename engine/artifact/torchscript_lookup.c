/* Files, classes, functions, attributes and constants of the archive, each read when it is first needed. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

enum { NAME_MAX_BYTES = 512 };

struct kas_script_unit {
    kas_script_unit *next; /* in its bucket */
    kas_span module;       /* "__torch__.torch.nn" */
    kas_script_file file;
};

/* ---- files ---- */

/* "__torch__.torch.nn" to "code/__torch__/torch/nn.py" */
static kas_status path_of_module(kas_script_reader *reader, kas_span module, kas_span *out)
{
    static const char before[] = "code/", after[] = ".py";
    const size_t begin = sizeof before - 1, end = sizeof after - 1;
    void *room;
    if (module.size == 0 || module.size > NAME_MAX_BYTES)
        return kas_refuse(KAS_REASON_LIMIT, "a name of %zu bytes", module.size);
    KAS_TRY(kas_arena_take(reader->arena, begin + module.size + end, 1, &room));
    uint8_t *path = room;
    memcpy(path, before, begin);
    for (size_t i = 0; i < module.size; ++i)
        path[begin + i] = module.data[i] == '.' ? '/' : module.data[i];
    memcpy(path + begin + module.size, after, end);
    *out = (kas_span){path, begin + module.size + end};
    return NULL;
}

static kas_status parse_unit(kas_script_reader *reader, kas_span module, kas_script_unit **out)
{
    void *room;
    kas_span path, source;
    KAS_TRY(path_of_module(reader, module, &path));
    KAS_TRY(kas_arena_take(reader->arena, 1, sizeof(kas_script_unit), &room));
    *out = room;
    (*out)->module = module;
    KAS_TRY(kas_torch_archive_read(&reader->archive, path, &source));
    kas_status status = kas_script_parse(path, source, reader->arena, &(*out)->file);
    reader->is_located = status != NULL;
    return status;
}

static kas_status find_file(kas_script_reader *reader, kas_span module, const kas_script_file **out)
{
    kas_script_unit **bucket = &reader->units[kas_fnv1a(module.data, module.size) % KAS_SCRIPT_BUCKETS];
    kas_script_unit *unit = *bucket;
    for (; unit && !kas_span_equal(unit->module, module); unit = unit->next)
        KAS_TRY(kas_script_spend(reader, 1));
    if (!unit) {
        KAS_TRY(parse_unit(reader, module, &unit));
        unit->next = *bucket;
        *bucket = unit;
    }
    *out = &unit->file;
    return NULL;
}

/* ---- functions and classes ---- */

/* NULL in *out: there is none of this name. */
static kas_status find_in(kas_script_reader *reader, const kas_script_function *functions, kas_span name,
                          const kas_script_function **out)
{
    for (; functions && !kas_span_equal(functions->name, name); functions = functions->next)
        KAS_TRY(kas_script_spend(reader, 1));
    *out = functions;
    return NULL;
}

kas_status kas_script_find_function(kas_script_reader *reader, kas_span name, const kas_script_function **out)
{
    const kas_script_file *file;
    size_t dot = name.size;
    while (dot > 0 && name.data[dot - 1] != '.')
        --dot;
    if (dot == 0) return kas_refuse(KAS_REASON_MALFORMED, "\"%.*s\" names no function", KAS_SPAN_ARGS(name));
    KAS_TRY(
        kas_annotate(find_file(reader, (kas_span){name.data, dot - 1}, &file), "%.*s", KAS_SPAN_ARGS(name)));
    KAS_TRY(find_in(reader, file->functions, (kas_span){name.data + dot, name.size - dot}, out));
    if (*out) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the function %.*s is not in %.*s", KAS_SPAN_ARGS(name),
                      KAS_SPAN_ARGS(file->path));
}

const char *kas_script_class_text(const kas_pickle_object *object, char out[KAS_SCRIPT_CLASS_SHOWN])
{
    const kas_span module = object->type->module, name = object->type->name;
    snprintf(out, KAS_SCRIPT_CLASS_SHOWN, "%.*s.%.*s", KAS_SPAN_ARGS(module), KAS_SPAN_ARGS(name));
    return out;
}

kas_status kas_script_find_class(kas_script_reader *reader, const kas_pickle_object *object,
                                 const kas_script_class **out)
{
    const kas_script_file *file;
    char text[KAS_SCRIPT_CLASS_SHOWN];
    KAS_TRY(kas_annotate(find_file(reader, object->type->module, &file), "the code of class %s",
                         kas_script_class_text(object, text)));
    *out = file->classes;
    for (; *out && !kas_span_equal((*out)->name, object->type->name); *out = (*out)->next)
        KAS_TRY(kas_script_spend(reader, 1));
    if (*out) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the class %s is not in %.*s", text, KAS_SPAN_ARGS(file->path));
}

kas_status kas_script_find_method(kas_script_reader *reader, const kas_pickle_object *object, kas_span name,
                                  const kas_script_function **out)
{
    const kas_script_class *type;
    char text[KAS_SCRIPT_CLASS_SHOWN];
    KAS_TRY(kas_script_find_class(reader, object, &type));
    KAS_TRY(find_in(reader, type->methods, name, out));
    if (*out) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the class %s has no method \"%.*s\"",
                      kas_script_class_text(object, text), KAS_SPAN_ARGS(name));
}

/* ---- attributes and constants ---- */

/* What runs in training differs from what runs afterwards: in Dropout, in BatchNorm, in whatever else asks.
 */
static kas_status check_training(kas_span name, const kas_script_value *value)
{
    if (!kas_span_is(name, "training") || value->kind != KAS_SCRIPT_VALUE_BOOL || !value->boolean)
        return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED,
                      "the module was saved in training mode, and its code asks for that; a "
                      "kernel is saved after eval()");
}

kas_status kas_script_attribute(kas_script_reader *reader, const kas_pickle_object *object, kas_span name,
                                kas_script_value *out)
{
    const kas_script_class *type;
    char text[KAS_SCRIPT_CLASS_SHOWN];
    const bool has_state = object->state && object->state->kind == KAS_PICKLE_DICT;
    KAS_TRY(kas_script_spend(reader, has_state ? object->state->items.count : 0));
    const kas_pickle_value *value = kas_pickle_get_span(object->state, name);
    if (value) {
        KAS_TRY(kas_annotate(kas_script_of_pickle(reader, "data/", value, out), "the attribute \"%.*s\"",
                             KAS_SPAN_ARGS(name)));
        return check_training(name, out);
    }
    KAS_TRY(kas_script_find_class(reader, object, &type));
    for (const kas_script_constant *constant = type->constants; constant; constant = constant->next) {
        if (kas_span_equal(constant->name, name)) return kas_script_evaluate(reader, constant->value, out);
        KAS_TRY(kas_script_spend(reader, 1));
    }
    return kas_refuse(KAS_REASON_MALFORMED, "the object of class %s has no attribute \"%.*s\"",
                      kas_script_class_text(object, text), KAS_SPAN_ARGS(name));
}

static kas_status read_constants(kas_script_reader *reader)
{
    if (reader->constants) return NULL;
    KAS_TRY(kas_annotate(
        kas_torch_archive_unpickle(&reader->archive, "constants.pkl", KAS_PICKLE_CLOSED, &reader->constants),
        "constants.pkl"));
    if (reader->constants->kind == KAS_PICKLE_TUPLE) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "constants.pkl holds a %s, not a tuple",
                      kas_pickle_kind_name(reader->constants->kind));
}

/* The digits after the "c". */
static bool parse_index(kas_span name, size_t *out)
{
    *out = 0;
    if (name.size < 2 || name.size > 8 || name.data[0] != 'c') return false;
    for (size_t i = 1; i < name.size; ++i) {
        if (name.data[i] < '0' || name.data[i] > '9') return false;
        *out = *out * 10 + (size_t)(name.data[i] - '0');
    }
    return true;
}

kas_status kas_script_constant_value(kas_script_reader *reader, kas_span name, kas_script_value *out)
{
    size_t index;
    if (!parse_index(name, &index))
        return kas_refuse(KAS_REASON_MALFORMED, "CONSTANTS.%.*s names no constant", KAS_SPAN_ARGS(name));
    KAS_TRY(kas_annotate(read_constants(reader), "CONSTANTS.%.*s", KAS_SPAN_ARGS(name)));
    if (index >= reader->constants->items.count)
        return kas_refuse(KAS_REASON_MALFORMED, "CONSTANTS.%.*s is out of range: there are %zu constants",
                          KAS_SPAN_ARGS(name), reader->constants->items.count);
    return kas_annotate(kas_script_of_pickle(reader, "constants/", reader->constants->items.at[index], out),
                        "CONSTANTS.%.*s", KAS_SPAN_ARGS(name));
}
