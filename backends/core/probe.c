#include "backends/core/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { ANSWER_MS = 10000, RETRY_S = 60 };

/* ---- the child ---- */

/* Of a process with other threads only this one is left; nothing here takes a lock that one of them may have
 * held. */
static _Noreturn void tell(kas_probe *probe, int to)
{
    prctl(PR_SET_PDEATHSIG,
          SIGKILL); /* it must not hold the files of a process that is gone: locks among them */
    kas_probe_answer *found = &probe->answer; /* the child's own copy */
    kas_log_forked();
    kas_status status = probe->list_here(found->infos, KAS_PROBE_DEVICES_MAX, &found->count);
    const char *at =
        (const char *)found; /* both ends of the pipe are this very program: as it lies in memory */
    size_t left = status ? 0 : sizeof *found;
    while (left > 0) {
        ssize_t written = write(to, at, left);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) break;
        at += written;
        left -= (size_t)written;
    }
    _exit(0);
}

/* ---- the parent ---- */

/* Reads until the answer is whole; false when the child ends or the time is over before. */
static bool hear(int from, kas_probe_answer *out)
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

static kas_status no_answer(const kas_probe *probe)
{
    return kas_fail(KAS_UNAVAILABLE, DEVICE,
                    "the %s drivers of this machine crashed or did not answer in %d s", probe->api,
                    ANSWER_MS / 1000);
}

static kas_status ask_child(kas_probe *probe)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return kas_fail_os(errno, "a pipe to ask for %s devices", probe->api);
    pid_t child = fork();
    if (child == 0) tell(probe, ends[1]);
    int error = errno;
    close(ends[1]);
    bool heard = child > 0 && hear(ends[0], &probe->answer);
    close(ends[0]);
    if (child < 0) return kas_fail_os(error, "a process to ask for %s devices", probe->api);
    kill(child, SIGKILL); /* it has said what it had to say, or never will */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return heard ? NULL : no_answer(probe);
}

/* Under the lock. */
static kas_status ask(kas_probe *probe)
{
    if (kas_monotonic_ns() < probe->retry_ns) return no_answer(probe);
    kas_status status = ask_child(probe);
    probe->known = !status;
    if (status) probe->retry_ns = kas_monotonic_ns() + RETRY_S * KAS_NS_PER_S;
    return status;
}

kas_status kas_probe_list(kas_probe *probe, kas_device_info *infos, size_t capacity, size_t *count)
{
    kas_status status = NULL;
    pthread_mutex_lock(&probe->lock);
    if (!probe->known) status = ask(probe);
    *count = status ? 0 : probe->answer.count;
    for (size_t i = 0; i < *count && i < capacity && i < KAS_PROBE_DEVICES_MAX; ++i)
        infos[i] = probe->answer.infos[i];
    pthread_mutex_unlock(&probe->lock);
    return status;
}
