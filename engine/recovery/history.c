/* The error history and the recoveries under way. */
#include "engine/recovery/history.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

enum {
    ERRORS_MAX = 1000,
    RECOVERIES_MAX = 1000, /* times kept of the last hour's */
    ACTIVE_MAX = 65536,
    KERNEL_ERRORS = 3, /* in the window make a kernel problematic */
    COMPONENT_ERRORS = 10,
    WINDOW_S = 300,
};

typedef struct recovery { /* of one seed */
    uint64_t layer_uid;
    uint32_t seed;
    bool loading; /* its load is running */
} recovery;

typedef struct noted_error {
    kas_error_record record;
    int64_t noted_ns; /* monotonic */
} noted_error;

struct kas_history {
    pthread_mutex_t lock; /* guards all below */
    noted_error *errors;  /* a ring once it has ERRORS_MAX */
    size_t error_count, error_capacity, error_next;
    recovery *active;
    size_t active_count, active_capacity;
    int64_t recovered_ns[RECOVERIES_MAX]; /* monotonic; a ring, by the total */
    uint64_t total_errors, error_counts[KAS_ERROR_TYPE_COUNT];
    uint64_t total_recoveries, successful_recoveries;
};

kas_status kas_history_create(kas_history **out)
{
    kas_history *history = kas_calloc(1, sizeof *history);
    if (!history) return kas_out_of_memory();
    pthread_mutex_init(&history->lock, NULL);
    *out = history;
    return NULL;
}

void kas_history_destroy(kas_history *history)
{
    if (!history) return;
    pthread_mutex_destroy(&history->lock);
    kas_free(history->errors);
    kas_free(history->active);
    kas_free(history);
}

/* Whether an error of this type is made good at once: the default output stands in, or less is done. */
static bool recovers_at_once(kas_error_type type)
{
    return type == KAS_ERROR_KERNEL_EXECUTION || type == KAS_ERROR_KERNEL_VALIDATION ||
           type == KAS_ERROR_CIRCUIT_BREAKER || type == KAS_ERROR_UNKNOWN;
}

static void count_recovery(kas_history *history, bool success, int64_t now_ns)
{
    history->recovered_ns[history->total_recoveries % RECOVERIES_MAX] = now_ns;
    ++history->total_recoveries;
    history->successful_recoveries += success;
}

/* The ring's next place; grows it while it is below its maximum. NULL: memory is out and there is none yet.
 */
static noted_error *next_place(kas_history *history)
{
    void *grown = history->errors;
    if (history->error_count < ERRORS_MAX &&
        kas_grow(&grown, &history->error_capacity, history->error_count + 1, ERRORS_MAX,
                 sizeof *history->errors)) {
        history->errors = grown;
        history->error_next = history->error_count++;
    } else if (history->error_count == 0) {
        return NULL;
    }
    size_t place = history->error_next;
    history->error_next = (place + 1) % history->error_count;
    return &history->errors[place];
}

void kas_history_note_error(kas_history *history, const kas_error_record *record, int64_t now_ns)
{
    pthread_mutex_lock(&history->lock);
    ++history->total_errors;
    ++history->error_counts[record->type];
    if (recovers_at_once(record->type)) count_recovery(history, true, now_ns);
    noted_error *place = next_place(history);
    if (place) *place = (noted_error){.record = *record, .noted_ns = now_ns};
    pthread_mutex_unlock(&history->lock);
}

static recovery *find(kas_history *history, uint64_t layer_uid, uint32_t seed)
{
    for (size_t i = 0; i < history->active_count; ++i)
        if (history->active[i].layer_uid == layer_uid && history->active[i].seed == seed)
            return &history->active[i];
    return NULL;
}

static void begin(kas_history *history, uint64_t layer_uid, uint32_t seed)
{
    void *grown = history->active;
    if (!kas_grow(&grown, &history->active_capacity, history->active_count + 1, ACTIVE_MAX,
                  sizeof *history->active))
        return; /* it is not counted */
    history->active = grown;
    history->active[history->active_count++] = (recovery){.layer_uid = layer_uid, .seed = seed};
}

void kas_history_note_transition(kas_history *history, uint64_t layer_uid, uint32_t seed, kas_lifecycle from,
                                 kas_lifecycle to, int64_t now_ns)
{
    pthread_mutex_lock(&history->lock);
    recovery *known = find(history, layer_uid, seed);
    if (to == KAS_SEED_ERROR_RECOVERY) {
        if (!known)
            begin(history, layer_uid, seed);
        else if (known->loading)
            count_recovery(history, false, now_ns);
        if (known) known->loading = false;
    } else if (known && from == KAS_SEED_ERROR_RECOVERY && to == KAS_SEED_LOADING) {
        known->loading = true;
    } else if (known) {
        count_recovery(history, to == KAS_SEED_ACTIVE || !known->loading, now_ns);
        *known = history->active[--history->active_count];
    }
    pthread_mutex_unlock(&history->lock);
}

void kas_history_forget_layer(kas_history *history, uint64_t layer_uid)
{
    pthread_mutex_lock(&history->lock);
    size_t kept = 0;
    for (size_t i = 0; i < history->active_count; ++i)
        if (history->active[i].layer_uid != layer_uid) history->active[kept++] = history->active[i];
    history->active_count = kept;
    pthread_mutex_unlock(&history->lock);
}

/* The i-th newest. */
static const noted_error *newest(const kas_history *history, size_t i)
{
    return &history->errors[(history->error_next + 2 * history->error_count - 1 - i) % history->error_count];
}

size_t kas_history_list(kas_history *history, kas_error_record *out, size_t capacity)
{
    pthread_mutex_lock(&history->lock);
    size_t count = history->error_count < capacity ? history->error_count : capacity;
    for (size_t i = 0; i < count; ++i) {
        out[i] = newest(history, i)->record;
        out[i].size = sizeof out[i];
    }
    pthread_mutex_unlock(&history->lock);
    return count;
}

/* How many of the `window` newest records have the same text at `offset` as the i-th; 0 where a newer one
 * had. */
static uint32_t count_like(const kas_history *history, size_t i, size_t window, size_t offset)
{
    const char *text = (const char *)&newest(history, i)->record + offset;
    uint32_t count = 0;
    for (size_t j = 0; j < window; ++j) {
        if (strcmp((const char *)&newest(history, j)->record + offset, text) != 0) continue;
        if (j < i) return 0;
        ++count;
    }
    return count;
}

static void find_problematic(const kas_history *history, size_t window, kas_recovery_stats *out)
{
    for (size_t i = 0; i < window; ++i) {
        const kas_error_record *record = &newest(history, i)->record;
        if (record->artifact_id[0] && out->problematic_kernel_count < 8 &&
            count_like(history, i, window, offsetof(kas_error_record, artifact_id)) >= KERNEL_ERRORS)
            memcpy(out->problematic_kernels[out->problematic_kernel_count++], record->artifact_id,
                   sizeof record->artifact_id);
        if (record->component[0] && out->problematic_component_count < 8 &&
            count_like(history, i, window, offsetof(kas_error_record, component)) >= COMPONENT_ERRORS)
            memcpy(out->problematic_components[out->problematic_component_count++], record->component,
                   sizeof record->component);
    }
}

static uint64_t count_recent(const kas_history *history, int64_t since_ns)
{
    uint64_t known = history->total_recoveries < RECOVERIES_MAX ? history->total_recoveries : RECOVERIES_MAX;
    uint64_t count = 0;
    for (uint64_t i = 0; i < known; ++i)
        count += history->recovered_ns[i] >= since_ns;
    return count;
}

void kas_history_stats(kas_history *history, int64_t now_ns, kas_recovery_stats *out)
{
    *out = (kas_recovery_stats){.size = sizeof *out};
    pthread_mutex_lock(&history->lock);
    size_t window = 0;
    while (window < history->error_count &&
           newest(history, window)->noted_ns >= now_ns - WINDOW_S * KAS_NS_PER_S)
        ++window;
    out->total_errors = history->total_errors;
    memcpy(out->error_counts, history->error_counts, sizeof out->error_counts);
    out->error_rate_5min = (double)window / WINDOW_S;
    out->total_recoveries = history->total_recoveries;
    out->recent_recoveries = count_recent(history, now_ns - 3600 * KAS_NS_PER_S);
    out->successful_recoveries = history->successful_recoveries;
    out->active_recoveries = (uint32_t)history->active_count;
    find_problematic(history, window, out);
    pthread_mutex_unlock(&history->lock);
}
