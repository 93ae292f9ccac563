/* Pickles as PyTorch writes them (protocols 2 to 5), read to a tree of values. A pickle is a program for a
 * small machine; this one knows no way to call anything. Containers, numbers, texts, tensors and their
 * storages become values; whatever else the program would build stays an OBJECT that only remembers its
 * class. The machine does not recurse, and everything that it keeps is taken from the caller's arena.
 *
 * What was memoised is shared: the tree is a graph without cycles through containers, nested at most
 * KAS_PICKLE_MAX_DEPTH deep, that may have exponentially many paths. Look things up, do not enumerate.
 *
 * Refusals: KAS_INVALID_ARTIFACT, "malformed", "unsupported", "limit", with the byte and the opcode. */
#ifndef KAS_ARTIFACT_PICKLE_H
#define KAS_ARTIFACT_PICKLE_H

#include "engine/artifact/arena.h"
#include "engine/artifact/span.h"
#include "engine/artifact/torch_dtype.h"

enum {
    KAS_PICKLE_MAX_DEPTH = 128,
    KAS_PICKLE_MAX_STACK = 1 << 20,
    KAS_PICKLE_MAX_MEMO = 1 << 20,
    KAS_PICKLE_MAX_RANK = 8,
};
#define KAS_PICKLE_MAX_ELEMENTS (1ull << 26) /* of one tensor */

typedef enum kas_pickle_kind {
    KAS_PICKLE_NONE = 0,
    KAS_PICKLE_BOOL,
    KAS_PICKLE_INT,
    KAS_PICKLE_BIG_INT, /* beyond 64 bits: its value is not kept */
    KAS_PICKLE_FLOAT,
    KAS_PICKLE_TEXT, /* valid UTF-8 */
    KAS_PICKLE_BYTES,
    KAS_PICKLE_TUPLE, /* also torch.Size */
    KAS_PICKLE_LIST,  /* also what torch.jit._pickle.build_intlist and its sisters make */
    KAS_PICKLE_SET,   /* also frozenset; by protocol 4 only, older ones call a function */
    KAS_PICKLE_DICT,  /* also collections.OrderedDict */
    KAS_PICKLE_GLOBAL,
    KAS_PICKLE_STORAGE,
    KAS_PICKLE_TENSOR, /* also a Parameter */
    KAS_PICKLE_OBJECT,
} kas_pickle_kind;

typedef struct kas_pickle_value kas_pickle_value;

typedef struct kas_pickle_items { /* TUPLE, LIST, SET: values; DICT: key, value, key, value … in order of
                                     insertion */
    kas_pickle_value **at;
    size_t count, capacity;
} kas_pickle_items;

typedef struct kas_pickle_global {
    kas_span module, name; /* "torch._utils", "_rebuild_tensor_v2" */
} kas_pickle_global;

typedef struct kas_pickle_storage {
    kas_span key;          /* of the record: "0"; letters, digits, '_' and '-' only */
    kas_span location;     /* "cpu", "cuda:0" */
    kas_torch_dtype dtype; /* of its elements; KAS_TORCH_UINT8 for an UntypedStorage */
    uint64_t elements;
} kas_pickle_storage;

typedef struct kas_pickle_tensor { /* every element lies within the storage */
    const kas_pickle_storage *storage;
    kas_torch_dtype dtype;
    uint64_t offset; /* elements of dtype */
    int rank;
    uint64_t sizes[KAS_PICKLE_MAX_RANK];
    uint64_t strides[KAS_PICKLE_MAX_RANK]; /* elements of dtype; may be 0 */
    uint64_t elements; /* the product of the sizes, at most KAS_PICKLE_MAX_ELEMENTS; may be 0 */
} kas_pickle_tensor;

typedef struct kas_pickle_object {
    const kas_pickle_global *type; /* its class, or what should have been called to make it */
    bool called;                   /* made by a call (REDUCE), not as an empty instance (NEWOBJ) */
    /* Kept under KAS_PICKLE_CLOSED only: */
    kas_pickle_value *args;  /* what its class or function should have been given: a TUPLE */
    kas_pickle_value *state; /* what BUILD gave it (of a module: the DICT of its attributes), or NULL */
} kas_pickle_object;

struct kas_pickle_value {
    kas_pickle_kind kind;
    uint32_t mark; /* of the search for cycles */
    union {
        bool boolean;
        int64_t integer;
        double number;
        kas_span text; /* TEXT, BYTES: of the pickle */
        kas_pickle_items items;
        kas_pickle_global global;
        kas_pickle_storage *storage;
        kas_pickle_tensor *tensor;
        kas_pickle_object object;
    };
};

typedef enum kas_pickle_policy {
    KAS_PICKLE_OPAQUE, /* torch.save: objects of any class, and what any call would make, stay OBJECTs */
    KAS_PICKLE_CLOSED, /* TorchScript: OBJECTs of classes below __torch__ only; any other global that is
                          called or instantiated is refused by name */
} kas_pickle_policy;

/* `bytes` and the arena must outlive the tree. */
kas_status kas_pickle_read(kas_span bytes, kas_pickle_policy policy, kas_arena *arena,
                           const kas_pickle_value **out) KAS_MUST_USE;

const char *kas_pickle_kind_name(kas_pickle_kind kind); /* "tuple", "tensor" …, for messages */

/* "a list", "an object of class torchsave.Blueprint", "what os.system would return": for messages, cut to the
 * size. */
const char *kas_pickle_describe(const kas_pickle_value *value, char *out, size_t size);
enum { KAS_PICKLE_DESCRIBED = 256 };

/* The value of a DICT under this text (of several: the last, as in Python), NULL where there is none or
 * `dict` is NULL or no DICT. */
const kas_pickle_value *kas_pickle_get(const kas_pickle_value *dict, const char *key);
const kas_pickle_value *kas_pickle_get_span(const kas_pickle_value *dict, kas_span key);

#endif
