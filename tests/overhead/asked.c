#include "tests/overhead/asked.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH  59
#define PR_SYS_DISPATCH_OFF           0
#define PR_SYS_DISPATCH_ON            1
#define SYSCALL_DISPATCH_FILTER_ALLOW 0
#define SYSCALL_DISPATCH_FILTER_BLOCK 1
#endif

static asked found;
static _Thread_local bool counting;
static volatile char selector =
    SYSCALL_DISPATCH_FILTER_ALLOW; /* the kernel looks at it before each system call */

/* Only the first is caught: afterwards all is allowed again, the handler's own return too. A machine whose
 * clock is not mapped into processes reads it by a system call, which is not ours. */
static void on_system_call(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    found.any_system_call = info->si_syscall != SYS_clock_gettime;
    found.first_system_call = info->si_syscall;
}

bool asked_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO};
    found = (asked){0};
    if (sigaction(SIGSYS, &action, NULL) ||
        prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0ul, 0ul, &selector))
        return false;
    counting = true;
    selector = SYSCALL_DISPATCH_FILTER_BLOCK;
    return true;
}

asked asked_end(void)
{
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    counting = false;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0ul, 0ul, 0ul);
    return found;
}

#define WRAP(counter, type, name, parameters, arguments)                                                     \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        found.counter += counting;                                                                           \
        return __real_##name arguments;                                                                      \
    }

WRAP(memory, void *, malloc, (size_t size), (size))
WRAP(memory, void *, calloc, (size_t count, size_t size), (count, size))
WRAP(memory, void *, realloc, (void *block, size_t size), (block, size))
WRAP(memory, int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size))
WRAP(memory, void, free, (void *block), (block))
WRAP(locks, int, pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
WRAP(locks, int, pthread_mutex_trylock, (pthread_mutex_t * lock), (lock))
WRAP(locks, int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
WRAP(locks, int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
WRAP(locks, int, pthread_cond_signal, (pthread_cond_t * condition), (condition))
WRAP(locks, int, pthread_cond_broadcast, (pthread_cond_t * condition), (condition))
