/* Making an engine and ending it. */
#include "engine/control/engine.h"

#include <stdio.h>
#include <string.h>

#include "backends/core/device.h"
#include "base/alloc.h"
#include "base/lock_file.h"

enum { CONTROL_STACK_BYTES = 512 << 10 };
#define DEFAULT_ARTIFACT_BYTES (256ull << 20)
#define DEFAULT_DEADLINE_NS    (10 * KAS_NS_PER_S)

/* ---- making ---- */

static kas_status create_disk_tier(kas_engine *engine, const char *data_dir)
{
    char *folder = kas_path_in(data_dir, "artifacts");
    if (!folder) return kas_out_of_memory();
    kas_status status = kas_disk_tier_create(engine->env.files, folder, &engine->disk);
    kas_free(folder);
    return status;
}

static kas_status create_tiers(kas_engine *engine, const kas_engine_options *options)
{
    engine->limits = (kas_artifact_limits){.file_bytes = options->artifact_bytes ? options->artifact_bytes
                                                                                 : DEFAULT_ARTIFACT_BYTES};
    if (options->artifact_dir && !(engine->artifact_dir = kas_strdup(options->artifact_dir)))
        return kas_out_of_memory();
    KAS_TRY(kas_trusted_keys_parse(options->trusted_keys, &engine->trusted_keys));
    KAS_TRY(kas_catalog_create(&engine->catalog));
    KAS_TRY(kas_host_tier_create(&(kas_host_tier_limits){0}, &engine->host));
    return options->data_dir ? create_disk_tier(engine, options->data_dir) : NULL;
}

static kas_status create_exec(kas_engine *engine, const kas_engine_options *options)
{
    const kas_exec_options exec = {
        .runners = options->threads,
        .rows_max = KAS_ROWS_MAX,
        .deadline_ns = options->deadline_ns ? options->deadline_ns : DEFAULT_DEADLINE_NS,
        .drained = kas_results_drained,
        .results_wait = kas_results_wait,
        .trouble = kas_loss_trouble,
        .user = engine,
    };
    return kas_exec_create(&exec, &engine->exec);
}

static kas_status create_state(kas_engine *engine, const kas_engine_options *options)
{
    const kas_state_limits limits = {.cache_bytes = options->cache_bytes,
                                     .cache_entries = options->cache_entries};
    engine->control.results = kas_alloc_array(KAS_RESULTS_BATCH, sizeof *engine->control.results);
    if (!engine->control.results) return kas_out_of_memory();
    return kas_state_create(&limits, &engine->state);
}

/* An upload of an earlier life: its id is bound to its bytes again. */
static kas_status restore_record(void *user, const kas_record *record)
{
    kas_engine *engine = user;
    kas_command command = {.kind = KAS_COMMAND_BIND_ARTIFACT, .bind = {.checksum = record->checksum}};
    memcpy(command.artifact_id, record->artifact_id, sizeof command.artifact_id);
    kas_status status = kas_catalog_put(engine->catalog, record);
    kas_record_release(record);
    KAS_TRY(status);
    KAS_TRY(kas_control_apply(engine, &command));
    return kas_control_carry(engine) ? NULL : kas_out_of_memory();
}

static kas_status fill(kas_engine *engine, const kas_engine_options *options)
{
    KAS_TRY(create_tiers(engine, options));
    KAS_TRY(kas_history_create(&engine->history));
    kas_device_use_threads(options->threads);
    kas_device_use_grace(options->grace_ns);
    KAS_TRY(create_exec(engine, options));
    KAS_TRY(create_state(engine, options));
    engine->started_ns = kas_engine_now(engine);
    return engine->disk ? kas_disk_tier_load(engine->disk, restore_record, engine) : NULL;
}

static kas_status start_thread(kas_engine *engine)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, CONTROL_STACK_BYTES);
    int error = pthread_create(&engine->thread, &attributes, kas_control_run, engine);
    pthread_attr_destroy(&attributes);
    if (error) return kas_fail_os(error, "starting the control thread");
    engine->has_thread = true;
    return NULL;
}

/* Writers first: a stream of readers must not keep the control thread waiting. */
static void init_state_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

static void init_parts(kas_engine *engine)
{
    kas_mailbox_init(&engine->mailbox);
    kas_events_init(&engine->events);
    kas_held_table_init(&engine->held);
    init_state_lock(&engine->state_lock);
    pthread_mutex_init(&engine->alert_lock, NULL);
    engine->control.reclaim_due_ns = KAS_NEVER;
    engine->data_lock = -1;
}

kas_status kas_engine_create_in(const kas_engine_options *options, const kas_env *env, kas_engine **out)
{
    if (options->size != sizeof *options)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "kas_engine_options.size is %zu, not %zu: set it to its sizeof", options->size,
                        sizeof *options);
    kas_engine *engine = kas_calloc(1, sizeof *engine);
    if (!engine) return kas_out_of_memory();
    kas_status status = kas_devices_init(&engine->devices, options->device, env ? env->devices : NULL);
    if (status) {
        kas_free(engine);
        return status;
    }
    init_parts(engine);
    if (env && env->post)
        engine->env = *env;
    else
        status = kas_engine_use_system(engine, options);
    if (!status) status = fill(engine, options);
    if (!status && !engine->env.help) status = start_thread(engine);
    if (status) {
        kas_engine_destroy(engine);
        return kas_annotate(status, "starting the engine");
    }
    *out = engine;
    return NULL;
}

kas_status kas_engine_create(const kas_engine_options *options, kas_engine **out)
{
    return kas_engine_create_in(options, NULL, out);
}

/* ---- ending ---- */

/* Lets everything that runs come to its end, on the control thread or, where there is none, here. */
static void stop(kas_engine *engine)
{
    atomic_store(&engine->stopping, true);
    kas_mailbox_close(&engine->mailbox);
    if (engine->has_thread) {
        pthread_join(engine->thread, NULL);
        return;
    }
    if (!engine->state) return;
    while ((void)kas_control_step(engine), !kas_control_finished(engine))
        if (engine->env.help) (void)engine->env.help(engine->env.self);
}

static void finish_parts(kas_engine *engine)
{
    kas_make_finish_all(engine);
    kas_move_finish_all(engine);
    kas_effects_finish(&engine->control.effects);
    kas_state_destroy(engine->state);
    kas_held_table_finish(&engine->held);
    kas_free(engine->control.results);
    kas_free(engine->control.unpublished);
    kas_history_destroy(engine->history);
    kas_disk_tier_destroy(engine->disk);
    kas_host_tier_destroy(engine->host);
    kas_catalog_destroy(engine->catalog);
    kas_events_finish(&engine->events);
    kas_mailbox_finish(&engine->mailbox);
    pthread_rwlock_destroy(&engine->state_lock);
    pthread_mutex_destroy(&engine->alert_lock);
    kas_devices_finish(&engine->devices);
    kas_lock_file_release(engine->data_lock);
    kas_free(engine->artifact_dir);
    kas_free(engine);
}

void kas_engine_destroy(kas_engine *engine)
{
    if (!engine) return;
    stop(engine);
    if (engine->exec) kas_exec_stop(engine->exec); /* passes get their answers; what hangs is given up */
    kas_devices_give_up(&engine->devices);
    kas_make_drop_trials(engine);
    kas_move_drop_trials(engine);
    kas_exec_destroy(engine->exec); /* that kernels are drained is of no use any more */
    kas_loaders_destroy(engine->loaders);
    kas_message *message = kas_mailbox_take(&engine->mailbox);
    for (kas_message *next; message; message = next) {
        next = message->next;
        (void)message->handle(message);
    }
    finish_parts(engine);
}

void kas_release(void *block)
{
    kas_free(block);
}

const char *kas_version(void)
{
    return "0.1.0";
}
