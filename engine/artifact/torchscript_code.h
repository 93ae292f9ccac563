/* The serialised code of a TorchScript archive (code/__torch__/….py): a small subset of Python in which
 * PyTorch prints its graphs. Parsing gives trees whose nodes live in the caller's arena and whose texts stay
 * where they are in the source.
 *
 * All that PyTorch prints without infix operators: classes of declarations and methods, functions,
 * assignments, if, for over a range, calls. What is Python but none of these (import, lambda, decorators …)
 * does not parse. `while` and `with` do, so that an archive may hold them in code that is not reached: a
 * statement of kind UNSUPPORTED stands for them.
 *
 * Refusals: KAS_INVALID_ARTIFACT, "malformed" or "limit", with path and line. Nesting is bounded by
 * KAS_SCRIPT_MAX_NESTING. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_CODE_H
#define KAS_ARTIFACT_TORCHSCRIPT_CODE_H

#include "engine/artifact/arena.h"
#include "engine/artifact/span.h"

enum {
    KAS_SCRIPT_MAX_NESTING = 64, /* of expressions within each other, and of blocks */
    KAS_SCRIPT_MAX_SOURCE_BYTES = 2 << 20,
    KAS_SCRIPT_MAX_ARGUMENTS = 64, /* of a call or a function */
    KAS_SCRIPT_MAX_ITEMS = 65536,  /* of a list */
};

typedef enum kas_script_kind {
    KAS_SCRIPT_NAME = 0, /* text */
    KAS_SCRIPT_INT,      /* integer */
    KAS_SCRIPT_FLOAT,    /* number */
    KAS_SCRIPT_STRING,   /* text, without quotes and with escapes resolved */
    KAS_SCRIPT_BOOL,     /* integer: 0 or 1 */
    KAS_SCRIPT_NONE,
    KAS_SCRIPT_LIST,      /* first */
    KAS_SCRIPT_TUPLE,     /* first */
    KAS_SCRIPT_DICT,      /* first: key, value, key, value … */
    KAS_SCRIPT_ATTRIBUTE, /* base.text */
    KAS_SCRIPT_CALL,      /* base(first …) */
    KAS_SCRIPT_INDEX,     /* base[first …] */
} kas_script_kind;

typedef struct kas_script_expression {
    kas_script_kind kind;
    uint32_t line;
    kas_span text;
    kas_span keyword; /* of an argument given by name; else empty */
    union {
        int64_t integer;
        double number;
    };
    struct kas_script_expression *base, *first;
    size_t count;                       /* of the list that begins with `first` */
    struct kas_script_expression *next; /* in the list that it stands in */
} kas_script_expression;

typedef enum kas_script_statement_kind {
    KAS_SCRIPT_PASS = 0,
    KAS_SCRIPT_RETURN,      /* value, NULL: nothing */
    KAS_SCRIPT_EVALUATE,    /* value */
    KAS_SCRIPT_ASSIGN,      /* targets = value */
    KAS_SCRIPT_IF,          /* value, body, otherwise */
    KAS_SCRIPT_FOR,         /* targets: one name; value, body */
    KAS_SCRIPT_UNSUPPORTED, /* text: what it is */
} kas_script_statement_kind;

typedef struct kas_script_statement {
    kas_script_statement_kind kind;
    uint32_t line;
    kas_span text;
    kas_script_expression *targets; /* a list */
    size_t target_count;
    bool unpacks; /* ASSIGN: the value is taken apart, also for one target (`a, = value`) */
    kas_script_expression *value;
    struct kas_script_statement *body, *otherwise; /* lists */
    struct kas_script_statement *next;
} kas_script_statement;

typedef struct kas_script_parameter {
    kas_span name;
    kas_script_expression *absent; /* the default; NULL: it must be given */
    struct kas_script_parameter *next;
} kas_script_parameter;

typedef struct kas_script_function {
    kas_span name;
    uint32_t line;
    const struct kas_script_file *file;
    kas_script_parameter *parameters; /* of a method: self first */
    size_t parameter_count;
    size_t name_count; /* at least as many as the body binds, parameters included */
    kas_script_statement *body;
    const kas_script_statement *unsupported; /* the first such statement of the body; NULL: none */
    struct kas_script_function *next;
} kas_script_function;

typedef struct kas_script_constant { /* `name = value` or `name : type = value` in a class */
    kas_span name;
    kas_script_expression *value;
    struct kas_script_constant *next;
} kas_script_constant;

typedef struct kas_script_class {
    kas_span name;
    uint32_t line;
    const struct kas_script_file *file;
    kas_script_constant *constants;
    kas_script_function *methods;
    struct kas_script_class *next;
} kas_script_class;

typedef struct kas_script_file {
    kas_span path; /* for messages: "code/__torch__/adapters.py" */
    kas_script_class *classes;
    kas_script_function *functions;
} kas_script_file;

/* `path`, `source` and the arena must outlive `out`, which the trees point to. */
kas_status kas_script_parse(kas_span path, kas_span source, kas_arena *arena,
                            kas_script_file *out) KAS_MUST_USE;

#endif
