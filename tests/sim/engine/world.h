/* A simulation of the whole engine: the real control plane, tiers, plans and passes on the host device and
 * one beside it, on one thread, under a virtual clock, with tasks in a random order, a faulty disk and
 * registry, and memory, of the host and of the other device, that runs out. All that happens follows from the
 * seed; what is broken ends the program (es_fail).
 *
 *     disk.c      files in memory that fail, are cut or are damaged      requests.c  what callers ask, and
 * are answered world.c     the environment, stepping, and the end                 passes.c    what passes
 * must answer */
#ifndef KAS_SIM_ENGINE_WORLD_H
#define KAS_SIM_ENGINE_WORLD_H

#include "base/random.h"
#include "engine/control/engine.h"
#include "tests/engine/artifact_bytes.h"
#include "tests/engine/two_devices.h"

enum {
    ES_FEATURES = 8, /* of every layer, in and out */
    ES_LAYERS = 2,
    ES_SEEDS = 3,
    ES_CONTENTS = 8,
    ES_GOOD_CONTENTS = 4, /* those before it can be loaded */
    ES_WEIGHTS = 4,
    ES_REGISTRY_IDS = 8, /* a0 … a7: content 0 … 7 */
    ES_UPLOAD_IDS = 4,   /* u0 … u3 */
    ES_IDS = ES_REGISTRY_IDS + ES_UPLOAD_IDS,
    ES_FILES = 64,
    ES_TASKS = 256,
    ES_CALLS = 64,
    ES_OPERATIONS = 4096,
    ES_VIEWS = 64, /* generations of a layer that are remembered */
    ES_ROWS = 4,
};

typedef struct es_file {
    char path[192]; /* "": free */
    kas_bytes bytes;
} es_file;

typedef struct es_kernel { /* y = a·x + b, or √x */
    bool is_sqrt;
    double a, b;
} es_kernel;

typedef struct es_call { /* that waits for its answer */
    struct es *world;
    bool waits;
    kas_request_kind kind;
    int layer, id; /* −1: none */
    uint32_t seed;
    int content; /* of an upload */
    uint64_t uid;
    artifact_bytes bytes; /* lent to the engine */
    kas_validation validation;
} es_call;

/* What a layer's passes compute from a generation on. */
typedef struct es_term {
    uint32_t seed;
    bool known;
    es_kernel kernel;
    float alpha;
    bool ramp;
    float from, to;
    uint32_t done, length;
    kas_curve curve;
} es_term;

typedef struct es_view {
    uint64_t generation;
    bool base_known;
    double scale, shift;
    uint32_t steps; /* that its ramps can take */
    bool begins;    /* a ramp begins with it, and no pass has run yet */
    uint32_t fossil_count, seed_count;
    es_term fossils[ES_SEEDS], seeds[ES_SEEDS];
} es_view;

typedef struct es_answer { /* of one generation, for one sign of the input */
    uint64_t generation;
    float sign;
    float y[ES_FEATURES];
} es_answer;

typedef struct es_layer {
    uint64_t uid;          /* 0: not there */
    uint64_t acknowledged; /* generation that an answer has named */
    uint64_t last;         /* of the last pass */
    es_view views[ES_VIEWS];
    uint64_t view_count;
    es_answer answers[ES_VIEWS];
    uint64_t answer_count;
} es_layer;

typedef struct es {
    uint64_t seed;
    uint32_t step, steps;
    bool verbose;
    kas_rng rng;
    int64_t now_ns;
    kas_sha256 history;
    uint32_t fault_percent;  /* of reads and writes */
    uint32_t memory_percent; /* of steps in which an allocation fails */
    uint32_t device_percent; /* of tasks and passes in which the device fails */
    bool calm;               /* neither happens, now */
    kas_engine *engine;
    two_devices devices;
    bool automatic; /* "auto" is chosen by room; else it is host:0 */
    es_file files[ES_FILES];
    kas_task *tasks[ES_TASKS];
    uint32_t task_count;
    es_call calls[ES_CALLS];
    artifact_bytes contents[ES_CONTENTS];
    kas_sha256 checksums[ES_CONTENTS];
    char weights_sha256[ES_WEIGHTS][KAS_CHECKSUM_HEX_SIZE];
    int uploaded[ES_UPLOAD_IDS]; /* content that is kept for good; −1: none; −2: not known */
    bool bound[ES_UPLOAD_IDS];   /* an upload was acknowledged, or its record was there at the start */
    uint64_t last_operation;
    uint32_t watchers;
    uint32_t passes;
    es_layer layers[ES_LAYERS];
} es;

_Noreturn void es_fail(es *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void es_trace(es *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define ES_REQUIRE(w, condition, ...)                                                                        \
    do {                                                                                                     \
        if (!(condition)) es_fail((w), __VA_ARGS__);                                                         \
    } while (0)

static inline uint32_t es_below(es *w, uint32_t bound)
{
    return kas_rng_below(&w->rng, bound);
}

static inline bool es_chance(es *w, uint32_t percent)
{
    return es_below(w, 100) < percent;
}

void es_note(es *w, const void *bytes, size_t size_bytes); /* into the history */

/* disk.c */
void es_disk_put(es *w, const char *path, const void *bytes, size_t size_bytes);
void es_disk_finish(es *w);
kas_files es_disk(es *w);

/* world.c */
extern const char *const es_layer_names[ES_LAYERS];
const char *es_id(int id);
typedef struct es_outcome {
    kas_sha256 history; /* of all that has happened */
    uint32_t passes;    /* whose values were checked */
} es_outcome;

es_outcome es_run(uint64_t seed, uint32_t steps, bool verbose);
void es_memory_may_fail(es *w); /* one of the next allocations, perhaps */
void es_memory_is_fine(void);
void es_device_may_fail(es *w); /* one of the next submissions or waits, perhaps */
bool es_device_is_fine(void);   /* from now on; whether one has failed */

/* requests.c */
void es_make_contents(es *w);
void es_ask_for_layers(es *w); /* all of them */
void es_ask(es *w);
void es_note_bound(es *w); /* at the start */
bool es_ask_to_go(es *w);  /* for the end: deletes a layer or evicts an artifact; false: nothing is left */
uint32_t es_waiting(const es *w);

/* passes.c */
void es_note_views(es *w); /* after each step of the control plane */
void es_pass(es *w);
es_kernel es_kernel_of(int content);
void es_weights_of(int variant, float *scale, float *shift);

#endif
