#include "backends/opencl/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/opencl/opencl.h"
#include "base/clock.h"
#include "base/log.h"

enum { DEVICES_MAX = 64, ANSWER_MS = 10000 };

/* Both ends of the pipe are this very program, so it goes over as it lies in memory. */
typedef struct answer {
    size_t count; /* devices; those beyond DEVICES_MAX are not described */
    kas_device_info infos[DEVICES_MAX];
} answer;

static struct {
    pthread_mutex_t lock; /* guards the rest; held while a child is asked, so that there is one at a time */
    bool known;
    answer answer;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the child --------------------------------------------------------------------------------------------
 */

/* Of a process with other threads only this one is left; nothing here takes a lock that one of them may have
 * held. */
static _Noreturn void tell(int to)
{
    static answer found;
    kas_log_set_level(KAS_LOG_CRITICAL);
    kas_status status = kas_opencl_list_here(found.infos, DEVICES_MAX, &found.count);
    const char *at = (const char *)&found;
    size_t left = status ? 0 : sizeof found;
    while (left > 0) {
        ssize_t written = write(to, at, left);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) break;
        at += written;
        left -= (size_t)written;
    }
    _exit(0);
}

/* ---- the parent -------------------------------------------------------------------------------------------
 */

/* Reads until the answer is whole; false when the child ends or the time is over before. */
static bool hear(int from, answer *out)
{
    int64_t deadline_ns = kas_monotonic_ns() + ANSWER_MS * KAS_NS_PER_MS;
    char *at = (char *)out;
    for (size_t left = sizeof *out; left > 0;) {
        int64_t wait_ms = (deadline_ns - kas_monotonic_ns()) / KAS_NS_PER_MS;
        struct pollfd ready = {.fd = from, .events = POLLIN};
        if (wait_ms <= 0) return false;
        if (poll(&ready, 1, (int)wait_ms) < 0 && errno != EINTR) return false;
        if (!ready.revents) continue;
        ssize_t got = read(from, at, left);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        left -= (size_t)got;
    }
    return true;
}

static kas_status ask_child(answer *out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return kas_fail_os(errno, "a pipe to ask for OpenCL devices");
    pid_t child = fork();
    if (child == 0) tell(ends[1]);
    int error = errno;
    close(ends[1]);
    bool heard = child > 0 && hear(ends[0], out);
    close(ends[0]);
    if (child < 0) return kas_fail_os(error, "a process to ask for OpenCL devices");
    kill(child, SIGKILL); /* it has said what it had to say, or never will */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    if (heard) return NULL;
    return kas_fail(KAS_UNAVAILABLE, DEVICE,
                    "the OpenCL drivers of this machine crashed or did not answer in %d s", ANSWER_MS / 1000);
}

kas_status kas_opencl_probe(kas_device_info *infos, size_t capacity, size_t *count)
{
    kas_status status = NULL;
    pthread_mutex_lock(&cache.lock);
    if (!cache.known) status = ask_child(&cache.answer);
    cache.known = !status;
    *count = status ? 0 : cache.answer.count;
    for (size_t i = 0; i < *count && i < capacity && i < DEVICES_MAX; ++i)
        infos[i] = cache.answer.infos[i];
    pthread_mutex_unlock(&cache.lock);
    return status;
}
