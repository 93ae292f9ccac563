/* From the serialised code of a TorchScript module to a graph of one row.
 *
 * The code is evaluated symbolically, beginning with the root module's method `forward`: calls are followed
 * through the module tree, numbers, texts, lists and shapes are computed, branches whose condition is then
 * known are taken, and the calls of an allow-list (torchscript_ops_*.c) are lowered to the graph. A tensor
 * has a full shape with its batch as in reader.h, whose functions on values and nodes do the lowering.
 * Nothing is executed: what is not on the list is refused by its name, with file and line of the code.
 *
 * An archive does not say how wide its input is. Unless tracing has left an example, the first evaluation has
 * an input of UNKNOWN width and ends at the first call that shows it; the second has that width.
 *
 * Bounded: steps (a measure of the work done), depth (of calls and of expressions within them), and all
 * memory by the arena. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_READER_H
#define KAS_ARTIFACT_TORCHSCRIPT_READER_H

#include "engine/artifact/reader.h"
#include "engine/artifact/torch_archive.h"
#include "engine/artifact/torchscript_code.h"

enum {
    KAS_SCRIPT_MAX_STEPS = 4000000, /* names and items looked at, expressions evaluated */
    KAS_SCRIPT_EXPRESSION_STEPS = 16,
    KAS_SCRIPT_MAX_DEPTH = 256,  /* calls and expressions within each other */
    KAS_SCRIPT_MAX_TURNS = 4096, /* of a loop */
};

/* Stands for the width of the input until it is known: far larger than a row is, and 2^13·3^2·5·7·11, so that
 * parts of it are still told as such. */
#define KAS_SCRIPT_UNKNOWN_WIDTH 28385280
enum { KAS_SCRIPT_UNKNOWN_PARTS = 64 }; /* that it is cut into, at most */

typedef enum kas_script_value_kind {
    KAS_SCRIPT_VALUE_NONE = 0,
    KAS_SCRIPT_VALUE_BOOL,
    KAS_SCRIPT_VALUE_INT, /* known or about the batch */
    KAS_SCRIPT_VALUE_FLOAT,
    KAS_SCRIPT_VALUE_TEXT,
    KAS_SCRIPT_VALUE_LIST,
    KAS_SCRIPT_VALUE_TUPLE,
    KAS_SCRIPT_VALUE_TENSOR,
    KAS_SCRIPT_VALUE_OBJECT,
    KAS_SCRIPT_VALUE_FUNCTION,
    KAS_SCRIPT_VALUE_UNINITIALIZED, /* on branches that raise */
} kas_script_value_kind;

/* What a name of tensor type stands for. Names and containers share it, so that in-place operators reach them
 * all. */
typedef struct kas_script_tensor {
    kas_reader_value *value;
    bool shared; /* other tensors are, or may be, views of the same memory: not to be changed in place */
} kas_script_tensor;

typedef struct kas_script_value {
    kas_script_value_kind kind;
    union {
        bool boolean;
        kas_integer integer;
        double number;
        kas_span text;
        struct kas_script_list *list; /* LIST: shared and growing, as in Python; TUPLE */
        kas_script_tensor *tensor;
        const kas_pickle_object *object;
        const kas_script_function *function;
    };
} kas_script_value;

typedef struct kas_script_list {
    kas_script_value *items;
    size_t count, capacity;
    bool is_state; /* a copy of what the module holds: not to be changed */
} kas_script_list;

typedef struct kas_script_unit kas_script_unit;     /* a parsed file; torchscript_lookup.c */
typedef struct kas_script_frame kas_script_frame;   /* a call in progress; torchscript_run.c */
typedef struct kas_script_weight kas_script_weight; /* a tensor of the archive; torchscript_weights.c */

enum { KAS_SCRIPT_BUCKETS = 256 };

typedef struct kas_script_reader {
    kas_reader lower; /* arena, limits, graph, operators, parameter count */
    kas_arena *arena;
    kas_torch_archive archive;
    const kas_pickle_object *root;
    const kas_pickle_value *constants; /* the tuple of constants.pkl; NULL: not read yet */
    kas_script_unit *units[KAS_SCRIPT_BUCKETS];
    kas_script_weight *weights[KAS_SCRIPT_BUCKETS];
    kas_script_frame *frame;
    uint32_t steps_left, depth_left, calls_left;
    uint64_t weight_elements; /* made into constants of the graph */
    int64_t width;            /* that a call has shown; 0: none yet */
    bool is_width_known;      /* calls need not show it */
    bool is_located;          /* the refusal on its way out says where */
} kas_script_reader;

/* ---- torchscript_lookup.c: what a name of the archive stands for ---- */

/* "__torch__.torch.nn.functional.relu": in code/__torch__/torch/nn/functional.py */
kas_status kas_script_find_function(kas_script_reader *reader, kas_span name,
                                    const kas_script_function **out) KAS_MUST_USE;
kas_status kas_script_find_class(kas_script_reader *reader, const kas_pickle_object *object,
                                 const kas_script_class **out) KAS_MUST_USE;
kas_status kas_script_find_method(kas_script_reader *reader, const kas_pickle_object *object, kas_span name,
                                  const kas_script_function **out) KAS_MUST_USE;
/* "__torch__.adapters.Adapter", for messages; cut to the size. */
enum { KAS_SCRIPT_CLASS_SHOWN = 160 };
const char *kas_script_class_text(const kas_pickle_object *object, char out[KAS_SCRIPT_CLASS_SHOWN]);

/* An attribute of a module: from its state, or a constant of its class. */
kas_status kas_script_attribute(kas_script_reader *reader, const kas_pickle_object *object, kas_span name,
                                kas_script_value *out) KAS_MUST_USE;
/* "c3" of CONSTANTS.c3 */
kas_status kas_script_constant_value(kas_script_reader *reader, kas_span name,
                                     kas_script_value *out) KAS_MUST_USE;

/* ---- torchscript_weights.c ---- */

/* A tensor of the archive as a constant of the graph, the same one for the same elements; a number where it
 * has rank 0, as such tensors do not decide the type of what they are combined with. */
kas_status kas_script_weight_value(kas_script_reader *reader, const char *folder,
                                   const kas_pickle_tensor *tensor, kas_script_value *out) KAS_MUST_USE;
/* The elements of all parameters of the module tree, those of one memory once; after an evaluation. */
kas_status kas_script_count_parameters(kas_script_reader *reader, uint64_t *out) KAS_MUST_USE;
/* All weights are to be made anew, for another graph. */
void kas_script_forget_weights(kas_script_reader *reader);

/* ---- torchscript_values.c ---- */

const char *kas_script_kind_name(kas_script_value_kind kind); /* "a list" … */
kas_script_value kas_script_of_int(int64_t integer);
kas_script_value kas_script_of_float(double number);
kas_script_value kas_script_of_bool(bool boolean);
kas_status kas_script_list_new(kas_script_reader *reader, kas_script_value_kind kind, size_t capacity,
                               kas_script_value *out) KAS_MUST_USE;
kas_status kas_script_list_append(kas_script_reader *reader, kas_script_list *list,
                                  kas_script_value item) KAS_MUST_USE;
kas_status kas_script_of_tensor(kas_script_reader *reader, kas_reader_value *tensor, bool shared,
                                kas_script_value *out) KAS_MUST_USE;
/* Converts plain values of a pickle; modules stay OBJECTs. */
kas_status kas_script_of_pickle(kas_script_reader *reader, const char *folder, const kas_pickle_value *value,
                                kas_script_value *out) KAS_MUST_USE;
/* Whether a condition holds; refuses one that depends on data or on the size of the batch. */
kas_status kas_script_truth(const kas_script_value *value, bool *out) KAS_MUST_USE;
/* BOOL, INT (known) or FLOAT as a number; false for others. */
bool kas_script_number(const kas_script_value *value, double *out);

/* ---- torchscript_run.c and torchscript_evaluate.c ---- */

/* Evaluated arguments; an empty keyword: by position. */
typedef struct kas_script_arguments {
    kas_script_value *values;
    kas_span *keywords;
    size_t count;
} kas_script_arguments;

kas_status kas_script_run(kas_script_reader *reader, const kas_script_function *function,
                          const kas_script_arguments *arguments, kas_script_value *out) KAS_MUST_USE;
kas_status kas_script_evaluate(kas_script_reader *reader, const kas_script_expression *expression,
                               kas_script_value *out) KAS_MUST_USE;
/* NULL: there is no such name here. */
const kas_script_value *kas_script_local(const kas_script_reader *reader, kas_span name);
/* Takes steps from what is left. */
kas_status kas_script_spend(kas_script_reader *reader, uint64_t steps) KAS_MUST_USE;
/* Puts file and line before a refusal, once. */
kas_status kas_script_locate(kas_script_reader *reader, uint32_t line, kas_status status) KAS_MUST_USE;

/* ---- torchscript_call.c: calls of the allow-list ---- */

enum { KAS_SCRIPT_MAX_OPERANDS = 16 };

typedef struct kas_script_op kas_script_op;

typedef struct kas_script_call {
    kas_script_reader *reader;
    kas_reader *lower; /* the reader's */
    const kas_script_op *op;
    const kas_script_value *arguments[KAS_SCRIPT_MAX_OPERANDS]; /* by the op's parameters; NULL: left out */
    kas_script_value result;
} kas_script_call;

struct kas_script_op {
    const char *name; /* as in the code: "torch.linear" */
    kas_status (*lower)(kas_script_call *call);
    const char *parameters; /* names in order, separated by spaces; those that may be left out end with '?' */
    int variant;            /* for operators that share a function */
    bool is_view;           /* the result shares its memory with the first argument */
};

/* The tables, each ending with a NULL name; in the files named for them. */
extern const kas_script_op kas_script_ops_language[], kas_script_ops_activation[],
    kas_script_ops_elementwise[], kas_script_ops_product[], kas_script_ops_norm[], kas_script_ops_shape[],
    kas_script_ops_index[], kas_script_ops_reduce[], kas_script_ops_window[], kas_script_ops_fill[];

/* `name` as it is written in the code; refuses one that is not on the list. A name that ends with one '_' is
 * the same operator in place. */
kas_status kas_script_find_op(kas_span name, const kas_script_op **out, bool *in_place) KAS_MUST_USE;

kas_status kas_script_call_op(kas_script_reader *reader, const kas_script_op *op, bool in_place,
                              const kas_script_arguments *arguments, kas_script_value *out) KAS_MUST_USE;

/* Arguments, with what holds where one is left out or None. Refusals name the parameter. */
bool kas_script_given(const kas_script_call *call, int index);
kas_status kas_script_tensor_at(const kas_script_call *call, int index, kas_reader_value **out) KAS_MUST_USE;
kas_status kas_script_optional_tensor(const kas_script_call *call, int index,
                                      kas_reader_value **out) KAS_MUST_USE;
/* A tensor, or a number as a constant of rank 0. */
kas_status kas_script_operand_at(const kas_script_call *call, int index, kas_reader_value **out) KAS_MUST_USE;
kas_status kas_script_int_at(const kas_script_call *call, int index, int64_t absent,
                             int64_t *out) KAS_MUST_USE;
kas_status kas_script_float_at(const kas_script_call *call, int index, double absent,
                               double *out) KAS_MUST_USE;
kas_status kas_script_bool_at(const kas_script_call *call, int index, bool absent, bool *out) KAS_MUST_USE;
kas_status kas_script_text_at(const kas_script_call *call, int index, const char *absent,
                              kas_span *out) KAS_MUST_USE;
kas_status kas_script_list_at(const kas_script_call *call, int index,
                              const kas_script_list **out) KAS_MUST_USE;
/* A list of known integers, or one integer; *count is 0 where it is left out. */
kas_status kas_script_ints_at(const kas_script_call *call, int index, size_t limit, int64_t *out,
                              size_t *count) KAS_MUST_USE;
/* As above for sizes that may be about the batch. */
kas_status kas_script_sizes_at(const kas_script_call *call, int index, size_t limit, kas_integer *out,
                               size_t *count) KAS_MUST_USE;
/* An axis of a tensor of this rank, from 0. */
kas_status kas_script_axis_at(const kas_script_call *call, int index, int64_t absent, int rank,
                              int *out) KAS_MUST_USE;

/* Sets the result. */
kas_status kas_script_give(kas_script_call *call, kas_reader_value *tensor) KAS_MUST_USE;
/* The first argument itself. */
kas_status kas_script_give_first(kas_script_call *call) KAS_MUST_USE;

/* Refuses a `dtype` other than None and float32. */
kas_status kas_script_check_dtype(const kas_script_call *call, int index) KAS_MUST_USE;

/* The call shows that what is `unknown` is in truth `size`: ends the evaluation if it is the unknown width,
 * or a part of it. */
kas_status kas_script_show_size(kas_script_reader *reader, int64_t unknown, int64_t size) KAS_MUST_USE;
/* The same of an axis of x; −1: of none. */
kas_status kas_script_show_width(kas_script_reader *reader, const kas_reader_value *x, int axis,
                                 int64_t size) KAS_MUST_USE;

/* ---- shared between the operators' files ---- */

/* x by wᵀ, w [n, k], plus the bias unless it is NULL. torchscript_ops_product.c */
kas_status kas_script_linear(kas_script_call *call, kas_reader_value *x, kas_reader_value *weight,
                             kas_reader_value *bias, kas_reader_value **out) KAS_MUST_USE;
/* x ∘ y, broadcast. torchscript_ops_elementwise.c */
kas_status kas_script_binary(kas_script_call *call, kas_binary op, kas_reader_value *x, kas_reader_value *y,
                             kas_reader_value **out) KAS_MUST_USE;
kas_status kas_script_unary(kas_script_call *call, kas_act act, double a, double b, kas_reader_value *x,
                            kas_reader_value **out) KAS_MUST_USE;
/* x[…, begin : begin + size, …] along one axis; x itself where that is all. torchscript_ops_index.c */
kas_status kas_script_part(kas_script_call *call, kas_reader_value *x, int axis, int64_t begin, int64_t size,
                           kas_reader_value **out) KAS_MUST_USE;

#endif
