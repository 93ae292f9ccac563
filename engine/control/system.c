/* The operating system as an engine's environment: clocks, loaders' threads, and folders that are checked
 * before anything relies on them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lock_file.h"
#include "base/log.h"
#include "engine/control/engine.h"

enum { DEFAULT_LOADERS = 2 };

char *kas_path_in(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = kas_alloc(size);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int64_t os_monotonic_ns(void *self)
{
    (void)self;
    return kas_monotonic_ns();
}

static int64_t os_wall_ns(void *self)
{
    (void)self;
    return kas_wall_ns();
}

static void os_post(void *self, kas_task *task)
{
    kas_engine *engine = self;
    kas_loaders_post(engine->loaders, task);
}

/* Two engines in one folder would each forget what the other keeps there. */
static kas_status lock_data(kas_engine *engine, const char *data_dir)
{
    KAS_TRY(kas_make_folders(data_dir));
    char *path = kas_path_in(data_dir, "lock");
    if (!path) return kas_out_of_memory();
    kas_status status = kas_lock_file_take(path, &engine->data_lock);
    kas_free(path);
    if (kas_status_code(status) != KAS_CONFLICT) return status;
    return kas_annotate(status, "the data folder %s is in use, give each engine one of its own", data_dir);
}

static kas_status use_device_cache(const char *data_dir)
{
    char *folder = kas_path_in(data_dir, "device-cache");
    if (!folder) return kas_out_of_memory();
    kas_status status = kas_device_use_cache_directory(folder);
    kas_free(folder);
    return status;
}

/* It is looked into at each load, so it may come later; but one that is not there is mostly a slip of the
 * pen. */
static kas_status check_artifact_dir(const char *folder)
{
    struct stat info;
    bool found = stat(folder, &info) == 0;
    if (!found && errno == ENOENT) {
        kas_warning("registry", "the artifact folder %s is not there: no artifact is found until it is",
                    folder);
        return NULL;
    }
    int error = found ? S_ISDIR(info.st_mode) ? 0 : ENOTDIR : errno;
    if (!error && access(folder, R_OK | X_OK)) error = errno;
    return error ? kas_fail_os(error, "the artifact folder %s", folder) : NULL;
}

kas_status kas_engine_use_system(kas_engine *engine, const kas_engine_options *options)
{
    engine->env = (kas_env){
        .monotonic_ns = os_monotonic_ns,
        .wall_ns = os_wall_ns,
        .post = os_post,
        .files = &kas_os_files,
        .self = engine,
    };
    if (options->data_dir) {
        KAS_TRY(lock_data(engine, options->data_dir));
        KAS_TRY(use_device_cache(options->data_dir));
    }
    if (options->artifact_dir) KAS_TRY(check_artifact_dir(options->artifact_dir));
    return kas_loaders_create(options->loaders ? options->loaders : DEFAULT_LOADERS, &engine->loaders);
}
