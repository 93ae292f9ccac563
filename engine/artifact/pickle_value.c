/* What values are called, how they are looked up, and that no container holds itself. */
#include <stdio.h>
#include <string.h>

#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

const char *kas_pickle_kind_name(kas_pickle_kind kind)
{
    static const char *const names[] = {
        [KAS_PICKLE_NONE] = "None",       [KAS_PICKLE_BOOL] = "bool",
        [KAS_PICKLE_INT] = "integer",     [KAS_PICKLE_BIG_INT] = "integer beyond 64 bits",
        [KAS_PICKLE_FLOAT] = "float",     [KAS_PICKLE_TEXT] = "string",
        [KAS_PICKLE_BYTES] = "bytes",     [KAS_PICKLE_TUPLE] = "tuple",
        [KAS_PICKLE_LIST] = "list",       [KAS_PICKLE_SET] = "set",
        [KAS_PICKLE_DICT] = "dict",       [KAS_PICKLE_GLOBAL] = "global",
        [KAS_PICKLE_STORAGE] = "storage", [KAS_PICKLE_TENSOR] = "tensor",
        [KAS_PICKLE_OBJECT] = "object",
    };
    return names[kind];
}

const char *kas_pickle_describe(const kas_pickle_value *value, char *out, size_t size)
{
    const kas_pickle_global *type = value->kind == KAS_PICKLE_OBJECT ? value->object.type : &value->global;
    if (value->kind == KAS_PICKLE_OBJECT)
        snprintf(out, size,
                 value->object.called ? "an opaque object, what %.*s.%.*s would return"
                                      : "an opaque object of class %.*s.%.*s",
                 KAS_SPAN_ARGS(type->module), KAS_SPAN_ARGS(type->name));
    else if (value->kind == KAS_PICKLE_GLOBAL)
        snprintf(out, size, "the global %.*s.%.*s", KAS_SPAN_ARGS(type->module), KAS_SPAN_ARGS(type->name));
    else
        snprintf(out, size, "a value of type %s", kas_pickle_kind_name(value->kind));
    return out;
}

kas_status kas_pickle_new(kas_pickle_machine *machine, kas_pickle_kind kind, kas_pickle_value **out)
{
    void *value;
    KAS_TRY(kas_arena_take(machine->arena, 1, sizeof **out, &value));
    *out = value;
    (*out)->kind = kind;
    return NULL;
}

/* ---- lookup ---- */

const kas_pickle_value *kas_pickle_get_span(const kas_pickle_value *dict, kas_span key)
{
    if (!dict || dict->kind != KAS_PICKLE_DICT) return NULL;
    for (size_t i = dict->items.count; i > 0; i -= 2) {
        const kas_pickle_value *candidate = dict->items.at[i - 2];
        if (candidate->kind == KAS_PICKLE_TEXT && kas_span_equal(candidate->text, key))
            return dict->items.at[i - 1];
    }
    return NULL;
}

const kas_pickle_value *kas_pickle_get(const kas_pickle_value *dict, const char *key)
{
    return kas_pickle_get_span(dict, (kas_span){(const uint8_t *)key, strlen(key)});
}

/* ---- nesting ---- */

enum { UNSEEN, OPEN, HEIGHT }; /* of a value's mark: HEIGHT + how deep it is nested below */

typedef struct step {
    kas_pickle_value *value;
    size_t next;     /* child */
    uint32_t height; /* of the children seen so far */
} step;

static kas_pickle_value *child_of(const kas_pickle_value *value, size_t index)
{
    kas_pickle_value *child = NULL;
    switch (value->kind) {
    case KAS_PICKLE_TUPLE:
    case KAS_PICKLE_LIST:
    case KAS_PICKLE_SET:
    case KAS_PICKLE_DICT:
        child = index < value->items.count ? value->items.at[index] : NULL;
        break;
    case KAS_PICKLE_OBJECT:
        if (index == 0) child = value->object.args ? value->object.args : value->object.state;
        if (index == 1 && value->object.args) child = value->object.state;
        break;
    default:
        break;
    }
    return child;
}

/* A search in depth, with a stack of fixed size: what goes deeper is refused anyway. */
kas_status kas_pickle_check_nesting(kas_pickle_value *root)
{
    step steps[KAS_PICKLE_MAX_DEPTH + 1];
    size_t depth = 1;
    steps[0] = (step){.value = root};
    root->mark = OPEN;
    while (depth) {
        step *top = &steps[depth - 1];
        kas_pickle_value *child = child_of(top->value, top->next);
        if (!child) {
            top->value->mark = HEIGHT + top->height;
            --depth;
            if (depth && steps[depth - 1].height < top->height + 1) steps[depth - 1].height = top->height + 1;
            continue;
        }
        ++top->next;
        if (child->mark == OPEN)
            return kas_refuse(KAS_REASON_MALFORMED, "a cycle: a %s holds itself",
                              kas_pickle_kind_name(child->kind));
        const uint32_t below = child->mark == UNSEEN ? 0 : child->mark - HEIGHT;
        if (depth + below >= KAS_PICKLE_MAX_DEPTH)
            return kas_refuse(KAS_REASON_LIMIT, "values are nested deeper than the limit of %d",
                              (int)KAS_PICKLE_MAX_DEPTH);
        if (child->mark == UNSEEN) {
            child->mark = OPEN;
            steps[depth++] = (step){.value = child};
        } else if (top->height < below + 1) {
            top->height = below + 1;
        }
    }
    return NULL;
}
