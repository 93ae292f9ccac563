/* Opcodes that make tuples, lists, sets and dicts, and put values into them. What they would put into an
 * OBJECT (of a class that extends one of these) is dropped with everything else about it. */
#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

kas_status kas_pickle_do_empty(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    return kas_pickle_push_new(machine, (kas_pickle_kind)argument, &value);
}

kas_status kas_pickle_do_tuple(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *tuple, *items[3];
    for (unsigned i = argument; i-- > 0;)
        KAS_TRY(kas_pickle_pop(machine, &items[i]));
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_TUPLE, &tuple));
    return kas_pickle_append(machine, &tuple->items, items, argument);
}

/* Tells a key that Python could not look up. */
static kas_status check_keys(kas_pickle_value *const *items, size_t count)
{
    for (size_t i = 0; i < count; i += 2)
        if (items[i]->kind == KAS_PICKLE_LIST || items[i]->kind == KAS_PICKLE_DICT ||
            items[i]->kind == KAS_PICKLE_SET)
            return kas_refuse(KAS_REASON_MALFORMED, "a %s as a key of a dict",
                              kas_pickle_kind_name(items[i]->kind));
    return NULL;
}

static kas_status check_pairs(kas_pickle_value *const *items, size_t count)
{
    if (count % 2)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "an odd number of values on the stack, %zu: a key without a value", count);
    return check_keys(items, count);
}

/* LIST, DICT, FROZENSET and TUPLE of what lies above the mark. */
kas_status kas_pickle_do_marked(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value, **items;
    size_t count;
    KAS_TRY(kas_pickle_pop_marked(machine, &items, &count));
    KAS_TRY(kas_pickle_new(machine, (kas_pickle_kind)argument, &value));
    if (value->kind == KAS_PICKLE_DICT) KAS_TRY(check_pairs(items, count));
    KAS_TRY(kas_pickle_append(machine, &value->items, items, count));
    return kas_pickle_push(machine, value);
}

/* Puts items into the container on top of the stack. */
static kas_status put_in(kas_pickle_machine *machine, kas_pickle_kind kind, kas_pickle_value *const *items,
                         size_t count)
{
    kas_pickle_value *container;
    char text[KAS_PICKLE_DESCRIBED];
    KAS_TRY(kas_pickle_top(machine, &container));
    if (container->kind == KAS_PICKLE_OBJECT) return NULL;
    if (container->kind != kind)
        return kas_refuse(KAS_REASON_MALFORMED, "it needs a %s and finds %s", kas_pickle_kind_name(kind),
                          kas_pickle_describe(container, text, sizeof text));
    return kas_pickle_append(machine, &container->items, items, count);
}

kas_status kas_pickle_do_append(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *item;
    (void)argument;
    KAS_TRY(kas_pickle_pop(machine, &item));
    return put_in(machine, KAS_PICKLE_LIST, &item, 1);
}

kas_status kas_pickle_do_appends(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value **items;
    size_t count;
    (void)argument;
    KAS_TRY(kas_pickle_pop_marked(machine, &items, &count));
    return put_in(machine, KAS_PICKLE_LIST, items, count);
}

kas_status kas_pickle_do_additems(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value **items;
    size_t count;
    (void)argument;
    KAS_TRY(kas_pickle_pop_marked(machine, &items, &count));
    return put_in(machine, KAS_PICKLE_SET, items, count);
}

kas_status kas_pickle_do_setitem(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *pair[2];
    (void)argument;
    KAS_TRY(kas_pickle_pop(machine, &pair[1]));
    KAS_TRY(kas_pickle_pop(machine, &pair[0]));
    KAS_TRY(check_keys(pair, 2));
    return put_in(machine, KAS_PICKLE_DICT, pair, 2);
}

kas_status kas_pickle_do_setitems(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value **items;
    size_t count;
    (void)argument;
    KAS_TRY(kas_pickle_pop_marked(machine, &items, &count));
    KAS_TRY(check_pairs(items, count));
    return put_in(machine, KAS_PICKLE_DICT, items, count);
}
