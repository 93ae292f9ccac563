#include "backends/core/poll.h"

#include <sched.h>
#include <time.h>

void kas_poll_pause(int64_t waited_ns)
{
    enum { YIELD_NS = 50000, SLEEP_MAX_NS = 200000 };
    if (waited_ns < YIELD_NS) {
        sched_yield();
        return;
    }
    int64_t sleep_ns = waited_ns / 8 > SLEEP_MAX_NS ? SLEEP_MAX_NS : waited_ns / 8;
    nanosleep(&(struct timespec){.tv_nsec = sleep_ns}, NULL);
}
