#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { TRIES = 40, PAUSE_US = 50000 };

/* The process that the holder wrote down; 0 where it wrote nothing. */
static long holder(int fd)
{
    char text[32] = {0};
    if (pread(fd, text, sizeof text - 1, 0) <= 0) return 0;
    return strtol(text, NULL, 10);
}

static kas_status in_use(const char *path, int fd)
{
    long process = holder(fd);
    if (process > 0) return kas_fail(KAS_CONFLICT, CALLER, "%s is locked by process %ld", path, process);
    return kas_fail(KAS_CONFLICT, CALLER, "%s is locked by another process", path);
}

static kas_status lock(const char *path, int fd)
{
    for (int i = 0; i < TRIES; ++i) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return NULL;
        if (errno != EWOULDBLOCK && errno != EINTR) return kas_fail_os(errno, "locking %s", path);
        usleep(PAUSE_US);
    }
    return in_use(path, fd);
}

/* Who holds it, for the message of whoever comes second. Where the disk is full the lock holds without. */
static void sign(int fd)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    ssize_t written = pwrite(fd, text, (size_t)size, 0);
    int ignored = ftruncate(fd, written > 0 ? written : 0);
    (void)ignored;
}

kas_status kas_lock_file_take(const char *path, int *out)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return kas_fail_os(errno, "%s", path);
    kas_status status = lock(path, fd);
    if (status) {
        close(fd);
        return status;
    }
    sign(fd);
    *out = fd;
    return NULL;
}

void kas_lock_file_release(int lock)
{
    if (lock >= 0) close(lock);
}
