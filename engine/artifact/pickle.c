/* The opcodes, and the loop that runs them. */
#include "engine/artifact/pickle.h"

#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

enum { OPCODE_PROTO = 0x80, OPCODE_STOP = '.' };

typedef struct opcode {
    const char *name;
    kas_pickle_run *run; /* NULL: known, and refused */
    unsigned argument;
} opcode;

static const opcode opcodes[256] = {
    [OPCODE_PROTO] = {"PROTO", kas_pickle_do_proto, 0},
    [0x95] = {"FRAME", kas_pickle_do_frame, 0},

    ['('] = {"MARK", kas_pickle_do_mark, 0},
    ['0'] = {"POP", kas_pickle_do_pop, 0},
    ['1'] = {"POP_MARK", kas_pickle_do_pop_mark, 0},
    ['2'] = {"DUP", kas_pickle_do_dup, 0},
    ['q'] = {"BINPUT", kas_pickle_do_put, 1},
    ['r'] = {"LONG_BINPUT", kas_pickle_do_put, 4},
    [0x94] = {"MEMOIZE", kas_pickle_do_memoize, 0},
    ['h'] = {"BINGET", kas_pickle_do_get, 1},
    ['j'] = {"LONG_BINGET", kas_pickle_do_get, 4},

    ['N'] = {"NONE", kas_pickle_do_none, 0},
    [0x88] = {"NEWTRUE", kas_pickle_do_bool, 1},
    [0x89] = {"NEWFALSE", kas_pickle_do_bool, 0},
    ['K'] = {"BININT1", kas_pickle_do_int, 1},
    ['M'] = {"BININT2", kas_pickle_do_int, 2},
    ['J'] = {"BININT", kas_pickle_do_binint, 0},
    [0x8a] = {"LONG1", kas_pickle_do_long, 1},
    [0x8b] = {"LONG4", kas_pickle_do_long, 4},
    ['G'] = {"BINFLOAT", kas_pickle_do_float, 0},
    [0x8c] = {"SHORT_BINUNICODE", kas_pickle_do_text, 1},
    ['X'] = {"BINUNICODE", kas_pickle_do_text, 4},
    [0x8d] = {"BINUNICODE8", kas_pickle_do_text, 8},
    ['C'] = {"SHORT_BINBYTES", kas_pickle_do_bytes, 1},
    ['B'] = {"BINBYTES", kas_pickle_do_bytes, 4},
    [0x8e] = {"BINBYTES8", kas_pickle_do_bytes, 8},
    [0x96] = {"BYTEARRAY8", kas_pickle_do_bytes, 8},
    ['U'] = {"SHORT_BINSTRING", kas_pickle_do_bytes, 1},

    [')'] = {"EMPTY_TUPLE", kas_pickle_do_empty, KAS_PICKLE_TUPLE},
    [']'] = {"EMPTY_LIST", kas_pickle_do_empty, KAS_PICKLE_LIST},
    ['}'] = {"EMPTY_DICT", kas_pickle_do_empty, KAS_PICKLE_DICT},
    [0x8f] = {"EMPTY_SET", kas_pickle_do_empty, KAS_PICKLE_SET},
    ['t'] = {"TUPLE", kas_pickle_do_marked, KAS_PICKLE_TUPLE},
    ['l'] = {"LIST", kas_pickle_do_marked, KAS_PICKLE_LIST},
    ['d'] = {"DICT", kas_pickle_do_marked, KAS_PICKLE_DICT},
    [0x91] = {"FROZENSET", kas_pickle_do_marked, KAS_PICKLE_SET},
    [0x85] = {"TUPLE1", kas_pickle_do_tuple, 1},
    [0x86] = {"TUPLE2", kas_pickle_do_tuple, 2},
    [0x87] = {"TUPLE3", kas_pickle_do_tuple, 3},
    ['a'] = {"APPEND", kas_pickle_do_append, 0},
    ['e'] = {"APPENDS", kas_pickle_do_appends, 0},
    ['s'] = {"SETITEM", kas_pickle_do_setitem, 0},
    ['u'] = {"SETITEMS", kas_pickle_do_setitems, 0},
    [0x90] = {"ADDITEMS", kas_pickle_do_additems, 0},

    ['c'] = {"GLOBAL", kas_pickle_do_global, 0},
    [0x93] = {"STACK_GLOBAL", kas_pickle_do_stack_global, 0},
    ['R'] = {"REDUCE", kas_pickle_do_reduce, 0},
    [0x81] = {"NEWOBJ", kas_pickle_do_newobj, 0},
    [0x92] = {"NEWOBJ_EX", kas_pickle_do_newobj_ex, 0},
    ['b'] = {"BUILD", kas_pickle_do_build, 0},
    ['Q'] = {"BINPERSID", kas_pickle_do_binpersid, 0},

    /* Texts of protocol 0, extension codes, and buffers outside of the pickle: no PyTorch writes them. */
    ['I'] = {"INT", NULL, 0},
    ['L'] = {"LONG", NULL, 0},
    ['F'] = {"FLOAT", NULL, 0},
    ['S'] = {"STRING", NULL, 0},
    ['T'] = {"BINSTRING", NULL, 0},
    ['V'] = {"UNICODE", NULL, 0},
    ['P'] = {"PERSID", NULL, 0},
    ['p'] = {"PUT", NULL, 0},
    ['g'] = {"GET", NULL, 0},
    ['i'] = {"INST", NULL, 0},
    ['o'] = {"OBJ", NULL, 0},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static kas_status run_one(kas_pickle_machine *machine)
{
    const size_t at = machine->at++;
    const uint8_t code = machine->bytes.data[at];
    const opcode *what = &opcodes[code];
    if (!what->name)
        return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: the unknown opcode 0x%02x", at, (unsigned)code);
    if (!what->run)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "byte %zu: the opcode %s, which PyTorch does not write", at,
                          what->name);
    return kas_annotate(what->run(machine, what->argument), "byte %zu, %s", at, what->name);
}

static kas_status check_end(const kas_pickle_machine *machine)
{
    const size_t left = machine->bytes.size - machine->at;
    if (left) return kas_refuse(KAS_REASON_MALFORMED, "%zu trailing bytes after STOP", left);
    const kas_pickle_value *top = machine->depth ? machine->stack[machine->depth - 1] : NULL;
    if (machine->depth == 1 && top) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "at STOP the stack holds %zu values and marks, a %s on top, where one value is needed",
                      machine->depth, top ? kas_pickle_kind_name(top->kind) : "mark");
}

static kas_status run(kas_pickle_machine *machine)
{
    if (machine->bytes.size == 0) return kas_refuse(KAS_REASON_MALFORMED, "it is empty: no byte");
    if (machine->bytes.data[0] != OPCODE_PROTO)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "not a pickle of protocol 2 or later: its first opcode is 0x%02x, not PROTO",
                          (unsigned)machine->bytes.data[0]);
    while (machine->at < machine->bytes.size) {
        if (machine->bytes.data[machine->at] == OPCODE_STOP) {
            ++machine->at;
            return check_end(machine);
        }
        KAS_TRY(run_one(machine));
    }
    return kas_refuse(KAS_REASON_MALFORMED, "truncated: it ends without STOP");
}

kas_status kas_pickle_read(kas_span bytes, kas_pickle_policy policy, kas_arena *arena,
                           const kas_pickle_value **out)
{
    kas_pickle_machine machine = {.bytes = bytes, .policy = policy, .arena = arena};
    *out = NULL;
    KAS_TRY(kas_annotate(run(&machine), "pickle"));
    KAS_TRY(kas_annotate(kas_pickle_check_nesting(machine.stack[0]), "pickle"));
    *out = machine.stack[0];
    return NULL;
}
