#include "engine/artifact/pickle_machine.h"

#include <string.h>

#include "engine/artifact/refuse.h"

enum { FIRST_CAPACITY = 16 };

/* ---- bytes ---- */

kas_status kas_pickle_take(kas_pickle_machine *machine, uint64_t size, kas_span *out)
{
    const size_t left = machine->bytes.size - machine->at;
    if (size > left)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "truncated: a length of %llu bytes goes beyond the end, %zu are left",
                          (unsigned long long)size, left);
    *out = (kas_span){machine->bytes.data + machine->at, (size_t)size};
    machine->at += (size_t)size;
    return NULL;
}

kas_status kas_pickle_take_number(kas_pickle_machine *machine, unsigned size, uint64_t *out)
{
    kas_span bytes;
    KAS_TRY(kas_pickle_take(machine, size, &bytes));
    *out = 0;
    for (unsigned i = 0; i < size; ++i)
        *out |= (uint64_t)bytes.data[i] << (8 * i);
    return NULL;
}

kas_status kas_pickle_take_line(kas_pickle_machine *machine, kas_span *out)
{
    const uint8_t *from = machine->bytes.data + machine->at;
    const uint8_t *end = memchr(from, '\n', machine->bytes.size - machine->at);
    if (!end) return kas_refuse(KAS_REASON_MALFORMED, "truncated: its line does not end");
    *out = (kas_span){from, (size_t)(end - from)};
    machine->at += out->size + 1;
    return NULL;
}

/* ---- the stack ---- */

/* Room for `needed` pointers: what was there moves, its old place stays the arena's. */
static kas_status grow(kas_arena *arena, void *array, size_t used, size_t *capacity, size_t needed)
{
    void **from, *to;
    if (needed <= *capacity) return NULL;
    size_t more = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    if (more < needed) more = needed;
    KAS_TRY(kas_arena_take(arena, more, sizeof(void *), &to));
    memcpy(&from, array, sizeof from);
    if (used) memcpy(to, from, used * sizeof(void *));
    memcpy(array, &to, sizeof to);
    *capacity = more;
    return NULL;
}

kas_status kas_pickle_push(kas_pickle_machine *machine, kas_pickle_value *value)
{
    if (machine->depth == KAS_PICKLE_MAX_STACK)
        return kas_refuse(KAS_REASON_LIMIT, "the stack is over its limit of %d values and marks",
                          (int)KAS_PICKLE_MAX_STACK);
    KAS_TRY(
        grow(machine->arena, &machine->stack, machine->depth, &machine->stack_capacity, machine->depth + 1));
    machine->stack[machine->depth++] = value;
    return NULL;
}

kas_status kas_pickle_push_new(kas_pickle_machine *machine, kas_pickle_kind kind, kas_pickle_value **out)
{
    KAS_TRY(kas_pickle_new(machine, kind, out));
    return kas_pickle_push(machine, *out);
}

kas_status kas_pickle_top(const kas_pickle_machine *machine, kas_pickle_value **out)
{
    *out = machine->depth ? machine->stack[machine->depth - 1] : NULL;
    if (*out) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, machine->depth
                                                ? "a mark is on top of the stack, where a value is needed"
                                                : "stack underflow: the stack is empty");
}

kas_status kas_pickle_pop(kas_pickle_machine *machine, kas_pickle_value **out)
{
    KAS_TRY(kas_pickle_top(machine, out));
    --machine->depth;
    return NULL;
}

kas_status kas_pickle_pop_marked(kas_pickle_machine *machine, kas_pickle_value ***items, size_t *count)
{
    size_t first = machine->depth;
    while (first && machine->stack[first - 1])
        --first;
    if (!first) return kas_refuse(KAS_REASON_MALFORMED, "no mark is on the stack");
    *items = machine->stack + first;
    *count = machine->depth - first;
    machine->depth = first - 1;
    return NULL;
}

kas_status kas_pickle_append(kas_pickle_machine *machine, kas_pickle_items *to,
                             kas_pickle_value *const *items, size_t count)
{
    KAS_TRY(grow(machine->arena, &to->at, to->count, &to->capacity, to->count + count));
    for (size_t i = 0; i < count; ++i)
        to->at[to->count++] = items[i];
    return NULL;
}

kas_status kas_pickle_do_mark(kas_pickle_machine *machine, unsigned argument)
{
    (void)argument;
    return kas_pickle_push(machine, NULL);
}

/* Takes a mark as well as a value. */
kas_status kas_pickle_do_pop(kas_pickle_machine *machine, unsigned argument)
{
    (void)argument;
    if (!machine->depth) return kas_refuse(KAS_REASON_MALFORMED, "stack underflow: the stack is empty");
    --machine->depth;
    return NULL;
}

kas_status kas_pickle_do_pop_mark(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value **items;
    size_t count;
    (void)argument;
    return kas_pickle_pop_marked(machine, &items, &count);
}

kas_status kas_pickle_do_dup(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    (void)argument;
    KAS_TRY(kas_pickle_top(machine, &value));
    return kas_pickle_push(machine, value);
}

/* ---- the memo ---- */

static kas_status put(kas_pickle_machine *machine, uint64_t index)
{
    kas_pickle_value *value;
    KAS_TRY(kas_pickle_top(machine, &value));
    if (index >= KAS_PICKLE_MAX_MEMO)
        return kas_refuse(KAS_REASON_LIMIT, "the memo's index %llu is over its limit of %d",
                          (unsigned long long)index, (int)KAS_PICKLE_MAX_MEMO);
    KAS_TRY(grow(machine->arena, &machine->memo, machine->memo_capacity, &machine->memo_capacity,
                 (size_t)index + 1));
    if (!machine->memo[index]) ++machine->memo_count;
    machine->memo[index] = value;
    return NULL;
}

kas_status kas_pickle_do_put(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t index;
    KAS_TRY(kas_pickle_take_number(machine, argument, &index));
    return put(machine, index);
}

kas_status kas_pickle_do_memoize(kas_pickle_machine *machine, unsigned argument)
{
    (void)argument;
    return put(machine, machine->memo_count);
}

kas_status kas_pickle_do_get(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t index;
    KAS_TRY(kas_pickle_take_number(machine, argument, &index));
    if (index >= machine->memo_capacity || !machine->memo[index])
        return kas_refuse(KAS_REASON_MALFORMED, "nothing was put into the memo at index %llu",
                          (unsigned long long)index);
    return kas_pickle_push(machine, machine->memo[index]);
}
