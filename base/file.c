#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

void kas_bytes_free(kas_bytes *bytes)
{
    kas_free(bytes->data);
    *bytes = (kas_bytes){0};
}

static kas_status read_all(int fd, const char *path, size_t max_bytes, kas_bytes *out)
{
    struct stat info;
    if (fstat(fd, &info)) return kas_fail_os(errno, "%s", path);
    if (!S_ISREG(info.st_mode)) return kas_fail(KAS_IO, CALLER, "%s: not a regular file", path);
    if ((uint64_t)info.st_size > max_bytes)
        return kas_fail(KAS_TOO_LARGE, CALLER, "%s: %lld bytes, the limit is %zu", path,
                        (long long)info.st_size, max_bytes);
    size_t size = (size_t)info.st_size, got = 0;
    unsigned char *data = kas_alloc(size);
    if (!data) return kas_out_of_memory();
    while (got < size) {
        ssize_t part = read(fd, data + got, size - got);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) {
            kas_status status = kas_fail_os(errno, "reading %s", path);
            kas_free(data);
            return status;
        }
        if (part == 0) break; /* it shrank under us: what there is */
        got += (size_t)part;
    }
    *out = (kas_bytes){.data = data, .size = got};
    return NULL;
}

kas_status kas_file_read(const char *path, size_t max_bytes, kas_bytes *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hold us up */
    if (fd < 0 && errno == ENOENT) return kas_fail(KAS_NOT_FOUND, CALLER, "%s: no such file", path);
    if (fd < 0) return kas_fail_os(errno, "%s", path);
    kas_status status = read_all(fd, path, max_bytes, out);
    close(fd);
    return status;
}

static kas_status write_all(int fd, const char *path, const unsigned char *data, size_t size)
{
    while (size) {
        ssize_t part = write(fd, data, size);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return kas_fail_os(errno, "writing %s", path);
        data += part;
        size -= (size_t)part;
    }
    return fsync(fd) ? kas_fail_os(errno, "syncing %s", path) : NULL;
}

static kas_status sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return kas_fail_os(errno, "%s", folder);
    kas_status status = fsync(fd) ? kas_fail_os(errno, "syncing %s", folder) : NULL;
    close(fd);
    return status;
}

kas_status kas_file_replace(const char *path, const void *data, size_t size_bytes)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s: path too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return kas_fail_os(errno, "creating %s", temporary);
    kas_status status = write_all(fd, temporary, data, size_bytes);
    if (close(fd) && !status) status = kas_fail_os(errno, "closing %s", temporary);
    if (!status && rename(temporary, path)) status = kas_fail_os(errno, "renaming %s to %s", temporary, path);
    if (status) {
        unlink(temporary);
        return status;
    }
    return sync_folder_of(path);
}

kas_status kas_file_remove(const char *path)
{
    if (unlink(path)) return errno == ENOENT ? NULL : kas_fail_os(errno, "removing %s", path);
    return sync_folder_of(path);
}

kas_status kas_make_folders(const char *path)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "folder name of %zu bytes", length);
    for (size_t i = 1; i <= length; ++i) {
        if (path[i] != '/' && path[i] != 0) continue;
        memcpy(partial, path, i);
        partial[i] = 0;
        if (mkdir(partial, 0700) && errno != EEXIST) return kas_fail_os(errno, "creating folder %s", partial);
    }
    struct stat info;
    if (stat(path, &info)) return kas_fail_os(errno, "%s", path);
    return S_ISDIR(info.st_mode) ? NULL : kas_fail(KAS_IO, CALLER, "%s: not a folder", path);
}
