/* The pickle machine: a stack, a memo, and one function for each opcode. A function finds its operands on the
 * stack and its literal in the bytes behind the opcode. */
#ifndef KAS_ARTIFACT_PICKLE_MACHINE_H
#define KAS_ARTIFACT_PICKLE_MACHINE_H

#include "engine/artifact/pickle.h"

typedef struct kas_pickle_machine {
    kas_span bytes;
    size_t at; /* of the next opcode */
    kas_pickle_policy policy;
    kas_arena *arena;
    kas_pickle_value **stack; /* a mark is NULL */
    size_t depth, stack_capacity;
    kas_pickle_value **memo; /* by index; NULL where nothing was put */
    size_t memo_count, memo_capacity;
} kas_pickle_machine;

/* What an opcode does; `argument` tells opcodes apart that share a function. */
typedef kas_status kas_pickle_run(kas_pickle_machine *machine, unsigned argument);

/* ---- bytes, stack and memo (pickle_machine.c) ---- */

/* The next `size` bytes, of which the opcode is said to be followed. */
kas_status kas_pickle_take(kas_pickle_machine *machine, uint64_t size, kas_span *out) KAS_MUST_USE;
/* A little-endian number of `size` bytes, at most 8. */
kas_status kas_pickle_take_number(kas_pickle_machine *machine, unsigned size, uint64_t *out) KAS_MUST_USE;
/* Up to the next line feed, which is passed over. */
kas_status kas_pickle_take_line(kas_pickle_machine *machine, kas_span *out) KAS_MUST_USE;

/* A new value on top of the stack; the caller fills it. */
kas_status kas_pickle_push_new(kas_pickle_machine *machine, kas_pickle_kind kind,
                               kas_pickle_value **out) KAS_MUST_USE;
kas_status kas_pickle_push(kas_pickle_machine *machine, kas_pickle_value *value) KAS_MUST_USE;
/* Refuses an empty stack, and a mark on top of it. */
kas_status kas_pickle_pop(kas_pickle_machine *machine, kas_pickle_value **out) KAS_MUST_USE;
kas_status kas_pickle_top(const kas_pickle_machine *machine, kas_pickle_value **out) KAS_MUST_USE;
/* Takes everything down to the topmost mark, and the mark. *items stays valid until the next push. */
kas_status kas_pickle_pop_marked(kas_pickle_machine *machine, kas_pickle_value ***items,
                                 size_t *count) KAS_MUST_USE;

/* Appends to a container. */
kas_status kas_pickle_append(kas_pickle_machine *machine, kas_pickle_items *to,
                             kas_pickle_value *const *items, size_t count) KAS_MUST_USE;

kas_pickle_run kas_pickle_do_mark, kas_pickle_do_pop, kas_pickle_do_pop_mark, kas_pickle_do_dup;
kas_pickle_run kas_pickle_do_put, kas_pickle_do_get; /* argument: bytes of the index */
kas_pickle_run kas_pickle_do_memoize;

/* ---- numbers and texts (pickle_literals.c) ---- */

kas_pickle_run kas_pickle_do_proto, kas_pickle_do_frame;
kas_pickle_run kas_pickle_do_none, kas_pickle_do_bool; /* argument: the value */
kas_pickle_run kas_pickle_do_int;                      /* argument: bytes of the unsigned number */
kas_pickle_run kas_pickle_do_binint, kas_pickle_do_float;
kas_pickle_run kas_pickle_do_long, kas_pickle_do_text,
    kas_pickle_do_bytes; /* argument: bytes of the length */

/* ---- containers (pickle_containers.c) ---- */

kas_pickle_run kas_pickle_do_empty;  /* argument: the kind */
kas_pickle_run kas_pickle_do_tuple;  /* argument: how many; */
kas_pickle_run kas_pickle_do_marked; /* argument: the kind */
kas_pickle_run kas_pickle_do_append, kas_pickle_do_appends, kas_pickle_do_additems;
kas_pickle_run kas_pickle_do_setitem, kas_pickle_do_setitems;

/* ---- globals and what would be called (pickle_calls.c) ---- */

kas_pickle_run kas_pickle_do_global, kas_pickle_do_stack_global;
kas_pickle_run kas_pickle_do_reduce, kas_pickle_do_newobj, kas_pickle_do_newobj_ex, kas_pickle_do_build;

/* ---- tensors (pickle_tensor.c) ---- */

kas_pickle_run kas_pickle_do_binpersid;

/* What torch._utils's functions of these names would return from `args`, into *out. */
kas_status kas_pickle_rebuild_tensor_v2(kas_pickle_machine *machine, const kas_pickle_items *args,
                                        kas_pickle_value **out) KAS_MUST_USE;
kas_status kas_pickle_rebuild_tensor_v3(kas_pickle_machine *machine, const kas_pickle_items *args,
                                        kas_pickle_value **out) KAS_MUST_USE;

/* ---- values (pickle_value.c) ---- */

kas_status kas_pickle_new(kas_pickle_machine *machine, kas_pickle_kind kind,
                          kas_pickle_value **out) KAS_MUST_USE;

/* Refuses containers that hold themselves, and nesting beyond KAS_PICKLE_MAX_DEPTH. */
kas_status kas_pickle_check_nesting(kas_pickle_value *root) KAS_MUST_USE;

#endif
