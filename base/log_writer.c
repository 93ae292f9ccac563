#include "base/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { NOTICE_SIZE = 160 };

static struct {
    /* Guards all below but `runs`, and the bytes of the ring that are not being written. Never held while a
     * line is written. */
    pthread_mutex_t lock;
    pthread_cond_t more;    /* for the thread: there are bytes, or it is to end */
    pthread_cond_t written; /* for who stops it; by the monotonic clock */
    bool made;              /* `written` is */
    bool ending;
    uint64_t head, tail; /* bytes that were put, and written: tail is the thread's while it writes */
    uint64_t lost;       /* lines, since the last that had room */
    pthread_t thread;
    atomic_bool runs;
    char ring[KAS_LOG_RING_BYTES];
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* ---- putting, under the lock ---- */

static size_t room(void)
{
    return KAS_LOG_RING_BYTES - (size_t)(writer.head - writer.tail);
}

static void copy_in(const char *bytes, size_t length)
{
    size_t at = (size_t)(writer.head % KAS_LOG_RING_BYTES), whole = KAS_LOG_RING_BYTES - at;
    size_t first = length < whole ? length : whole;
    memcpy(writer.ring + at, bytes, first);
    memcpy(writer.ring, bytes + first, length - first);
    writer.head += length;
}

/* Says how many lines were lost, when `next` bytes have room behind that. */
static bool tell_lost(size_t next)
{
    char notice[NOTICE_SIZE], stamp[KAS_TIMESTAMP_SIZE];
    if (writer.lost == 0) return room() >= next;
    kas_format_utc(kas_wall_ns(), stamp);
    int length =
        snprintf(notice, sizeof notice, "%s warning log: %llu messages lost: nobody read fast enough\n",
                 stamp, (unsigned long long)writer.lost);
    if (length < 0 || room() < (size_t)length + next) return false;
    copy_in(notice, (size_t)length);
    writer.lost = 0;
    return true;
}

bool kas_log_writer_put(const char *line, size_t length)
{
    if (!atomic_load_explicit(&writer.runs, memory_order_acquire)) return false;
    pthread_mutex_lock(&writer.lock);
    const bool runs = atomic_load(&writer.runs); /* it may have ended meanwhile */
    if (runs && tell_lost(length))
        copy_in(line, length);
    else if (runs)
        ++writer.lost;
    pthread_cond_signal(&writer.more);
    pthread_mutex_unlock(&writer.lock);
    return runs;
}

/* ---- the thread ---- */

/* However long it takes. Where nobody can read it any more it is thrown away. */
static void write_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(STDERR_FILENO, bytes, length);
        if (done < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        if (done < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (done <= 0) return;
        bytes += done;
        length -= (size_t)done;
    }
}

/* Under the lock, which is let go while it writes: what has been put, as far as it lies together. */
static void write_some(void)
{
    size_t at = (size_t)(writer.tail % KAS_LOG_RING_BYTES), length = (size_t)(writer.head - writer.tail);
    if (length > KAS_LOG_RING_BYTES - at) length = KAS_LOG_RING_BYTES - at;
    pthread_mutex_unlock(&writer.lock);
    write_all(writer.ring + at, length);
    pthread_mutex_lock(&writer.lock);
    writer.tail += length;
}

static void *run(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "kas-log");
    pthread_mutex_lock(&writer.lock);
    for (;;) {
        while (writer.head != writer.tail)
            write_some();
        if (writer.lost && tell_lost(0)) continue;
        pthread_cond_broadcast(&writer.written);
        if (writer.ending) break;
        pthread_cond_wait(&writer.more, &writer.lock);
    }
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* ---- life ---- */

static void make_condition(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer.written, &monotonic);
    pthread_condattr_destroy(&monotonic);
    writer.made = true;
}

kas_status kas_log_writer_start(void)
{
    pthread_mutex_lock(&writer.lock);
    if (!writer.made) make_condition();
    writer.ending = false;
    int error = pthread_create(&writer.thread, NULL, run, NULL);
    if (!error) atomic_store_explicit(&writer.runs, true, memory_order_release);
    pthread_mutex_unlock(&writer.lock);
    return error ? kas_fail_os(error, "starting the thread that writes the log") : NULL;
}

bool kas_log_writer_stop(int64_t wait_ns)
{
    if (!atomic_load(&writer.runs)) return true;
    int64_t until_ns = kas_monotonic_ns() + wait_ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / KAS_NS_PER_S),
                             .tv_nsec = (long)(until_ns % KAS_NS_PER_S)};
    int error = 0;
    pthread_mutex_lock(&writer.lock);
    while (!error && (writer.head != writer.tail || writer.lost))
        error = pthread_cond_timedwait(&writer.written, &writer.lock, &until);
    if (!error) {
        atomic_store(&writer.runs, false);
        writer.ending = true;
        pthread_cond_signal(&writer.more);
    }
    pthread_mutex_unlock(&writer.lock);
    if (!error) pthread_join(writer.thread, NULL);
    return !error;
}

void kas_log_writer_forked(void)
{
    atomic_store(&writer.runs, false);
}
