/* Makes: kernels on their way to a device. RESOLVE starts one, which finds, checks and plans it; UPLOAD, once
 * the state has reserved its memory, goes on; ABANDON ends it wherever it is. At most one task works on a
 * make at a time, and every task answers with one message, so that a make is freed only when nobody else
 * knows of it. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/control/engine.h"
#include "engine/control/find.h"
#include "engine/control/trial.h"
#include "engine/control/upload.h"

struct kas_make {
    kas_message answered;   /* by the running task */
    kas_message progressed; /* posted while progress_posted */
    kas_task task;
    kas_engine *engine;
    kas_make *next; /* in control.makes */
    uint64_t number;
    char artifact_id[KAS_NAME_SIZE];
    bool has_checksum;
    kas_sha256 checksum;
    char device_id[KAS_DEVICE_ID_SIZE];
    bool running; /* a task works on it; control thread only */
    atomic_bool cancelled;
    pthread_mutex_t lock; /* guards progress and progress_posted */
    struct {
        kas_stage stage;
        kas_tier tier;
        uint64_t bytes_done, bytes_total;
    } progress;
    bool progress_posted;
    /* What the tasks made; the control thread's while none runs. */
    kas_status status;
    kas_device *device; /* borrowed of the engine */
    kas_found found;
    kas_kernel_facts facts;
    kas_segment_plan *plan;
    kas_held *kernel;
    kas_plan
        *trial; /* of the kernel alone: keeps what its passes need until views that show it are published */
    bool done;  /* its views are being published; control thread only */
};

/* ---- lifetime, on the control thread ---- */

static void destroy(kas_make *make)
{
    kas_status_free(make->status);
    kas_found_finish(&make->found);
    kas_segment_plan_destroy(make->plan);
    kas_plan_destroy(make->trial);
    kas_held_release(make->kernel);
    pthread_mutex_destroy(&make->lock);
    kas_free(make);
}

static void remove_make(kas_make *make)
{
    kas_make **at = &make->engine->control.makes;
    while (*at != make)
        at = &(*at)->next;
    *at = make->next;
    destroy(make);
}

static kas_make *find_make(kas_engine *engine, uint64_t number)
{
    for (kas_make *make = engine->control.makes; make; make = make->next)
        if (make->number == number) return make;
    return NULL;
}

static void start(kas_make *make, void (*run)(kas_task *task), bool (*handle)(kas_message *message))
{
    make->task.run = run;
    make->answered.handle = handle;
    make->running = true;
    kas_control_start(make->engine, &make->task);
}

static kas_make *of_task(kas_task *task)
{
    return (kas_make *)((char *)task - offsetof(kas_make, task));
}

static kas_make *of_answered(kas_message *message)
{
    return (kas_make *)((char *)message - offsetof(kas_make, answered));
}

/* ---- progress ---- */

static bool handle_progress(kas_message *message)
{
    kas_make *make = (kas_make *)((char *)message - offsetof(kas_make, progressed));
    kas_command command = {.kind = KAS_COMMAND_PROGRESS, .progress = {.make = make->number}};
    pthread_mutex_lock(&make->lock);
    command.progress.stage = make->progress.stage;
    command.progress.tier = make->progress.tier;
    command.progress.bytes_done = make->progress.bytes_done;
    command.progress.bytes_total = make->progress.bytes_total;
    make->progress_posted = false;
    pthread_mutex_unlock(&make->lock);
    if (atomic_load(&make->cancelled)) return true;
    kas_status status = kas_control_apply(make->engine, &command);
    kas_status_free(status); /* what cannot be shown is not shown */
    return true;
}

static void note_progress(void *user, kas_stage stage, kas_tier tier, uint64_t bytes_done,
                          uint64_t bytes_total)
{
    kas_make *make = user;
    pthread_mutex_lock(&make->lock);
    make->progress.stage = stage;
    make->progress.tier = tier;
    make->progress.bytes_done = bytes_done;
    make->progress.bytes_total = bytes_total;
    bool post = !make->progress_posted;
    make->progress_posted = true;
    pthread_mutex_unlock(&make->lock);
    if (post) kas_mailbox_post(&make->engine->mailbox, &make->progressed);
}

static bool is_cancelled(void *user)
{
    kas_make *make = user;
    return atomic_load(&make->cancelled);
}

/* ---- tasks ---- */

static kas_status find_affine(kas_make *make)
{
    float *weight = NULL, *bias = NULL;
    KAS_TRY(kas_graph_affine(kas_decoded_artifact(make->found.decoded)->graph, &make->facts.affine, &weight,
                             &bias));
    kas_free(weight);
    kas_free(bias);
    return NULL;
}

static kas_status resolve(kas_make *make)
{
    const kas_finding finding = {.progress = note_progress, .cancelled = is_cancelled, .user = make};
    KAS_TRY(kas_devices_open(&make->engine->devices, make->device_id, &make->device));
    KAS_TRY(kas_find(make->engine, make->artifact_id, make->has_checksum ? &make->checksum : NULL, &finding,
                     &make->found));
    note_progress(make, KAS_STAGE_CHECK, make->found.tier, make->found.record->size_bytes,
                  make->found.record->size_bytes);
    kas_find_facts(&make->found.record->metadata, &make->facts);
    KAS_TRY(find_affine(make));
    return kas_segment_plan_create(make->device, kas_decoded_artifact(make->found.decoded)->graph,
                                   KAS_ROWS_MAX, &make->plan);
}

static void run_resolve(kas_task *task)
{
    kas_make *make = of_task(task);
    make->status = resolve(make);
    kas_mailbox_post(&make->engine->mailbox, &make->answered);
}

static kas_status upload(kas_make *make)
{
    if (atomic_load(&make->cancelled)) return kas_fail(KAS_CANCELLED, CALLER, "the load was cancelled");
    note_progress(make, KAS_STAGE_COMPILE, make->found.tier, make->found.record->size_bytes,
                  make->found.record->size_bytes);
    KAS_TRY(kas_held_create(&make->kernel));
    make->kernel->is_kernel = true;
    make->kernel->owner = make->engine;
    if (make->facts.affine) make->kernel->affine = kas_decoded_retain(make->found.decoded);
    KAS_TRY(kas_upload(make->engine, make->device, make->plan, &make->kernel->segment));
    return kas_trial_base(make->engine, make->artifact_id, KAS_MATH_INVARIANT, make->device,
                          make->kernel->segment, &make->trial);
}

static void run_upload(kas_task *task)
{
    kas_make *make = of_task(task);
    make->status = upload(make);
    kas_mailbox_post(&make->engine->mailbox, &make->answered);
}

/* ---- answers, on the control thread ---- */

kas_error_type kas_classify(kas_status status)
{
    switch (kas_status_code(status)) {
    case KAS_INVALID_ARTIFACT:
    case KAS_MALFORMED:
    case KAS_CONFLICT:
    case KAS_UNSUPPORTED:
    case KAS_TOO_LARGE:
    case KAS_INCOMPATIBLE_KERNEL:
        return KAS_ERROR_KERNEL_VALIDATION;
    case KAS_NO_ROOM:
    case KAS_OUT_OF_MEMORY:
        return KAS_ERROR_MEMORY_OVERFLOW;
    case KAS_DEVICE_LOST:
        return KAS_ERROR_DEVICE_ERROR;
    case KAS_UNAVAILABLE:
        return KAS_ERROR_NETWORK_ERROR;
    case KAS_DEADLINE:
        return KAS_ERROR_TIMEOUT;
    case KAS_NOT_FOUND:
    case KAS_IO:
        return KAS_ERROR_KERNEL_LOADING;
    default:
        return kas_status_blame(status) == KAS_BLAME_DEVICE ? KAS_ERROR_DEVICE_ERROR : KAS_ERROR_UNKNOWN;
    }
}

static bool tell_failure(kas_make *make)
{
    kas_command command = {
        .kind = KAS_COMMAND_MAKE_FAILED,
        .failed =
            {
                .make = make->number,
                .code = kas_status_code(make->status),
                .blame = kas_status_blame(make->status),
                .error_type = kas_classify(make->status),
                .reason = kas_status_reason(make->status),
            },
    };
    strncpy(command.failed.detail, kas_status_message(make->status), sizeof command.failed.detail - 1);
    if (!kas_control_applied(make->engine, &command)) return false;
    remove_make(make);
    return true;
}

static void ended(kas_make *make)
{
    if (make->running) kas_control_ended(make->engine);
    make->running = false;
}

/* The state has bound the id to these bytes: from now on the engine knows the artifact. */
static void catalogue(kas_make *make)
{
    kas_sha256 bound;
    if (!kas_state_binding(make->engine->state, make->artifact_id, &bound) ||
        !kas_sha256_equal(&bound, &make->found.record->checksum))
        return;
    kas_status status = kas_catalog_put(make->engine->catalog, make->found.record);
    if (!status) return;
    kas_warning("cache", "artifact %s is not listed: %s", make->artifact_id, kas_status_message(status));
    kas_status_free(status);
}

/* Whether one of the effects that wait asks for the upload of this make. */
static bool is_wanted(const kas_make *make)
{
    const kas_control *control = &make->engine->control;
    for (size_t i = control->carried; i < control->effects.count; ++i) {
        const kas_effect *effect = &control->effects.items[i];
        if (effect->kind == KAS_EFFECT_UPLOAD && effect->make.make == make->number) return true;
    }
    return false;
}

/* Whether the make whose task has answered was given up meanwhile; then it is gone. */
static bool was_abandoned(kas_make *make)
{
    ended(make);
    if (!atomic_load(&make->cancelled)) return false;
    remove_make(make);
    return true;
}

static bool handle_resolved(kas_message *message)
{
    kas_make *make = of_answered(message);
    if (was_abandoned(make)) return true;
    if (make->status) return tell_failure(make);
    kas_command command = {
        .kind = KAS_COMMAND_RESOLVED,
        .resolved =
            {
                .make = make->number,
                .tier = make->found.tier,
                .checksum = make->found.record->checksum,
                .facts = make->facts,
                .device_bytes = kas_segment_plan_info(make->plan)->weight_bytes,
            },
    };
    if (!kas_control_applied(make->engine, &command)) return false;
    catalogue(make);
    if (!is_wanted(make)) remove_make(make); /* refused, or another make was first */
    return true;
}

/* The kernel gets its number; false: memory is out. */
static bool register_kernel(kas_make *make)
{
    if (make->kernel->number) return true;
    kas_status status = kas_held_table_add(&make->engine->held, make->kernel);
    kas_status_free(status);
    return !status;
}

static bool handle_uploaded(kas_message *message)
{
    kas_make *make = of_answered(message);
    if (was_abandoned(make)) return true;
    if (make->status) return tell_failure(make);
    if (!register_kernel(make)) return false;
    kas_command command = {
        .kind = KAS_COMMAND_KERNEL_READY,
        .ready = {.make = make->number, .kernel = make->kernel->number},
    };
    if (!kas_control_applied(make->engine, &command)) return false;
    make->done = true; /* the table has the kernel */
    return true;
}

void kas_make_sweep(kas_engine *engine)
{
    if (engine->control.carried != engine->control.effects.count) return;
    for (kas_make *make = engine->control.makes, *next; make; make = next) {
        next = make->next;
        if (make->done) remove_make(make);
    }
}

void kas_make_drop_trials(kas_engine *engine)
{
    for (kas_make *make = engine->control.makes; make; make = make->next) {
        kas_plan_destroy(make->trial);
        make->trial = NULL;
    }
}

/* ---- effects ---- */

bool kas_make_resolve(kas_engine *engine, const kas_effect *effect)
{
    kas_make *make = kas_calloc(1, sizeof *make);
    if (!make) return false;
    make->engine = engine;
    make->number = effect->make.make;
    memcpy(make->artifact_id, effect->make.artifact_id, sizeof make->artifact_id);
    memcpy(make->device_id, effect->make.device, sizeof make->device_id);
    make->has_checksum = effect->make.has_checksum;
    make->checksum = effect->make.checksum;
    make->progressed.handle = handle_progress;
    pthread_mutex_init(&make->lock, NULL);
    make->next = engine->control.makes;
    engine->control.makes = make;
    start(make, run_resolve, handle_resolved);
    return true;
}

void kas_make_upload(kas_engine *engine, const kas_effect *effect)
{
    kas_make *make = find_make(engine, effect->make.make);
    if (make) start(make, run_upload, handle_uploaded);
}

void kas_make_abandon(kas_engine *engine, const kas_effect *effect)
{
    kas_make *make = find_make(engine, effect->make.make);
    if (!make) return;
    atomic_store(&make->cancelled, true);
    if (!make->running) remove_make(make);
}

void kas_make_cancel_all(kas_engine *engine)
{
    for (kas_make *make = engine->control.makes; make; make = make->next)
        atomic_store(&make->cancelled, true);
}

void kas_make_finish_all(kas_engine *engine)
{
    while (engine->control.makes)
        remove_make(engine->control.makes);
}
