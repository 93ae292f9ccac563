/* Globals, and the opcodes that a pickle calls them with. The few functions that stand in the table below are
 * done here, with values for results; all others are only named. */
#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

typedef struct rebuilder {
    const char *module, *name;
    kas_status (*run)(kas_pickle_machine *machine, const kas_pickle_items *args, kas_pickle_value **out);
} rebuilder;

/* ---- functions that are done ---- */

/* All of these return their first argument as it is: a tuple that is a torch.Size, a list whose TorchScript
 * type is named besides, a value likewise. */
static kas_status first_argument(kas_pickle_machine *machine, const kas_pickle_items *args,
                                 kas_pickle_value **out)
{
    (void)machine;
    if (args->count == 0) return kas_refuse(KAS_REASON_MALFORMED, "it is given no argument");
    *out = args->at[0];
    return NULL;
}

static kas_status first_of_kind(const kas_pickle_items *args, kas_pickle_kind kind, kas_pickle_value **out)
{
    char text[KAS_PICKLE_DESCRIBED];
    KAS_TRY(first_argument(NULL, args, out));
    if ((*out)->kind == kind) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "its first argument is %s, not a %s",
                      kas_pickle_describe(*out, text, sizeof text), kas_pickle_kind_name(kind));
}

static kas_status size(kas_pickle_machine *machine, const kas_pickle_items *args, kas_pickle_value **out)
{
    (void)machine;
    return first_of_kind(args, KAS_PICKLE_TUPLE, out);
}

static kas_status typed_list(kas_pickle_machine *machine, const kas_pickle_items *args,
                             kas_pickle_value **out)
{
    (void)machine;
    return first_of_kind(args, KAS_PICKLE_LIST, out);
}

static kas_status parameter(kas_pickle_machine *machine, const kas_pickle_items *args, kas_pickle_value **out)
{
    (void)machine;
    return first_of_kind(args, KAS_PICKLE_TENSOR, out);
}

static kas_status ordered_dict(kas_pickle_machine *machine, const kas_pickle_items *args,
                               kas_pickle_value **out)
{
    if (args->count == 0) return kas_pickle_new(machine, KAS_PICKLE_DICT, out);
    return kas_refuse(KAS_REASON_UNSUPPORTED, "%zu arguments; PyTorch gives it none", args->count);
}

static const rebuilder rebuilders[] = {
    {"torch._utils", "_rebuild_tensor_v2", kas_pickle_rebuild_tensor_v2},
    {"torch._utils", "_rebuild_tensor_v3", kas_pickle_rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", parameter},
    {"torch._utils", "_rebuild_parameter_with_state", parameter},
    {"collections", "OrderedDict", ordered_dict},
    {"torch", "Size", size},
    {"torch.jit._pickle", "build_intlist", typed_list},
    {"torch.jit._pickle", "build_doublelist", typed_list},
    {"torch.jit._pickle", "build_boollist", typed_list},
    {"torch.jit._pickle", "build_tensorlist", typed_list},
    {"torch.jit._pickle", "restore_type_tag", first_argument},
};

static const rebuilder *find_rebuilder(const kas_pickle_global *global)
{
    for (size_t i = 0; i < sizeof rebuilders / sizeof *rebuilders; ++i)
        if (kas_span_is(global->module, rebuilders[i].module) &&
            kas_span_is(global->name, rebuilders[i].name))
            return &rebuilders[i];
    return NULL;
}

/* ---- globals ---- */

static kas_status push_global(kas_pickle_machine *machine, kas_span module, kas_span name)
{
    kas_pickle_value *value;
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_GLOBAL, &value));
    value->global = (kas_pickle_global){module, name};
    if (kas_span_is_utf8(module) && kas_span_is_utf8(name)) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "a global whose name is not UTF-8");
}

kas_status kas_pickle_do_global(kas_pickle_machine *machine, unsigned argument)
{
    kas_span module, name;
    (void)argument;
    KAS_TRY(kas_pickle_take_line(machine, &module));
    KAS_TRY(kas_pickle_take_line(machine, &name));
    return push_global(machine, module, name);
}

kas_status kas_pickle_do_stack_global(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *module, *name;
    (void)argument;
    KAS_TRY(kas_pickle_pop(machine, &name));
    KAS_TRY(kas_pickle_pop(machine, &module));
    if (module->kind != KAS_PICKLE_TEXT || name->kind != KAS_PICKLE_TEXT)
        return kas_refuse(KAS_REASON_MALFORMED, "a global whose module or name is no string");
    return push_global(machine, module->text, name->text);
}

/* ---- objects that are not built ---- */

static bool is_torchscript(const kas_pickle_global *global)
{
    return kas_span_is(global->module, "__torch__") || kas_span_begins(global->module, "__torch__.");
}

static bool is_device(const kas_pickle_global *global)
{
    return kas_span_is(global->module, "torch") && kas_span_is(global->name, "device");
}

static kas_status check_policy(const kas_pickle_machine *machine, const kas_pickle_global *global,
                               bool called)
{
    if (machine->policy == KAS_PICKLE_OPAQUE) return NULL;
    if (called ? is_device(global) : is_torchscript(global)) return NULL;
    const bool quantized = kas_span_is(global->name, "_rebuild_qtensor");
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the global %.*s.%.*s is not allowed here%s",
                      KAS_SPAN_ARGS(global->module), KAS_SPAN_ARGS(global->name),
                      quantized ? ": quantized tensors are not supported" : "");
}

/* The class or function itself, or that of an OBJECT: what getattr would have found on it, say. */
static kas_status global_of(const kas_pickle_value *callable, const kas_pickle_global **out)
{
    char text[KAS_PICKLE_DESCRIBED];
    *out = callable->kind == KAS_PICKLE_OBJECT ? callable->object.type : &callable->global;
    if (callable->kind == KAS_PICKLE_OBJECT || callable->kind == KAS_PICKLE_GLOBAL) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "it would call %s",
                      kas_pickle_describe(callable, text, sizeof text));
}

static kas_status push_object(kas_pickle_machine *machine, const kas_pickle_value *callable,
                              kas_pickle_value *args, bool called)
{
    const kas_pickle_global *global;
    kas_pickle_value *object;
    KAS_TRY(global_of(callable, &global));
    KAS_TRY(check_policy(machine, global, called));
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_OBJECT, &object));
    object->object = (kas_pickle_object){.type = global, .called = called};
    if (machine->policy == KAS_PICKLE_CLOSED) object->object.args = args;
    return NULL;
}

static kas_status pop_args(kas_pickle_machine *machine, kas_pickle_value **out)
{
    char text[KAS_PICKLE_DESCRIBED];
    KAS_TRY(kas_pickle_pop(machine, out));
    if ((*out)->kind == KAS_PICKLE_TUPLE) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "its arguments are %s, not a tuple",
                      kas_pickle_describe(*out, text, sizeof text));
}

kas_status kas_pickle_do_reduce(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *args, *callable, *result;
    (void)argument;
    KAS_TRY(pop_args(machine, &args));
    KAS_TRY(kas_pickle_pop(machine, &callable));
    const rebuilder *known = callable->kind == KAS_PICKLE_GLOBAL ? find_rebuilder(&callable->global) : NULL;
    if (!known) return push_object(machine, callable, args, true);
    KAS_TRY(kas_annotate(known->run(machine, &args->items, &result), "%s.%s", known->module, known->name));
    return kas_pickle_push(machine, result);
}

kas_status kas_pickle_do_newobj(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *args, *class;
    (void)argument;
    KAS_TRY(pop_args(machine, &args));
    KAS_TRY(kas_pickle_pop(machine, &class));
    return push_object(machine, class, args, false);
}

/* As NEWOBJ, with keyword arguments. */
kas_status kas_pickle_do_newobj_ex(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *keywords;
    KAS_TRY(kas_pickle_pop(machine, &keywords));
    if (keywords->kind != KAS_PICKLE_DICT)
        return kas_refuse(KAS_REASON_MALFORMED, "its keyword arguments are no dict");
    return kas_pickle_do_newobj(machine, argument);
}

/* An attribute of a dict (an OrderedDict's _metadata) is nobody's business; a tensor has none that could be
 * changed. */
kas_status kas_pickle_do_build(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *state, *object;
    char text[KAS_PICKLE_DESCRIBED];
    (void)argument;
    KAS_TRY(kas_pickle_pop(machine, &state));
    KAS_TRY(kas_pickle_top(machine, &object));
    if (object->kind == KAS_PICKLE_DICT) return NULL;
    if (object->kind != KAS_PICKLE_OBJECT)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it would set the state of %s",
                          kas_pickle_describe(object, text, sizeof text));
    if (machine->policy == KAS_PICKLE_CLOSED) object->object.state = state;
    return NULL;
}
