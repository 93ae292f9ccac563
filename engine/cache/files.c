/* The operating system's files behind the kas_files table. */
#include "engine/cache/files.h"

#include <dirent.h>
#include <errno.h>

static kas_status os_read(void *self, const char *path, size_t max_bytes, kas_bytes *out)
{
    (void)self;
    return kas_file_read(path, max_bytes, out);
}

static kas_status os_replace(void *self, const char *path, const void *data, size_t size_bytes)
{
    (void)self;
    return kas_file_replace(path, data, size_bytes);
}

static kas_status os_make_folders(void *self, const char *path)
{
    (void)self;
    return kas_make_folders(path);
}

static kas_status os_remove(void *self, const char *path)
{
    (void)self;
    return kas_file_remove(path);
}

static kas_status visit_entries(DIR *folder, const char *path, kas_file_visit visit, void *user)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) return errno ? kas_fail_os(errno, "listing %s", path) : NULL;
        if (entry->d_name[0] == '.' || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)) continue;
        KAS_TRY(visit(user, entry->d_name));
    }
}

static kas_status os_list(void *self, const char *path, kas_file_visit visit, void *user)
{
    (void)self;
    DIR *folder = opendir(path);
    if (!folder && errno == ENOENT) return kas_fail(KAS_NOT_FOUND, CALLER, "%s: no such folder", path);
    if (!folder) return kas_fail_os(errno, "%s", path);
    kas_status status = visit_entries(folder, path, visit, user);
    closedir(folder);
    return status;
}

const kas_files kas_os_files = {
    .read = os_read,
    .replace = os_replace,
    .make_folders = os_make_folders,
    .remove = os_remove,
    .list = os_list,
};
