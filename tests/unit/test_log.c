/* The log and who takes its lines. Labelled `threads`: lines come from any thread. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum { THREADS = 4, LINES = 500, REPLACEMENTS = 200 };

typedef struct heard {
    unsigned lines; /* not atomic: lines come one at a time */
    kas_log_level level;
    char area[32], message[64];
    atomic_bool over; /* nobody may call any more */
    atomic_uint late;
} heard;

static void hear(void *user, kas_log_level level, const char *area, const char *message)
{
    heard *self = user;
    if (atomic_load(&self->over)) atomic_fetch_add(&self->late, 1);
    ++self->lines;
    self->level = level;
    strncpy(self->area, area, sizeof self->area - 1);
    strncpy(self->message, message, sizeof self->message - 1);
}

static void back_to_stderr(void)
{
    kas_log_set(KAS_LOG_WARNING, NULL, NULL);
}

TestSuite(log, .fini = back_to_stderr);

Test(log, a_sink_takes_what_is_as_grave_as_it_asks)
{
    heard all = {0};
    kas_log_set(KAS_LOG_WARNING, hear, &all);
    kas_info("here", "not heard");
    cr_expect_eq(all.lines, 0);
    kas_error("here", "%d is a number", 7);
    cr_expect_eq(all.lines, 1);
    cr_expect_eq(all.level, KAS_LOG_ERROR);
    cr_expect_eq(strcmp(all.area, "here"), 0);
    cr_expect_eq(strcmp(all.message, "7 is a number"), 0);
    kas_log_set(KAS_LOG_OFF, hear, &all);
    kas_log(KAS_LOG_CRITICAL, "here", "not heard either");
    cr_expect_eq(all.lines, 1);
}

Test(log, what_comes_from_outside_is_made_printable)
{
    heard all = {0};
    kas_log_set(KAS_LOG_INFO, hear, &all);
    kas_info("here", "%s", "a\nb\x1b[1m\x7f");
    cr_expect_eq(strcmp(all.message, "a?b?[1m?"), 0);
}

Test(log, a_forked_process_leaves_the_sink_alone)
{
    heard all = {0};
    kas_log_set(KAS_LOG_INFO, hear, &all);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        kas_log_forked();
        kas_log(KAS_LOG_CRITICAL, "here", "this line of a test belongs here");
        _exit(all.lines != 0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
}

static void *say_much(void *user)
{
    (void)user;
    for (int i = 0; i < LINES; ++i)
        kas_warning("here", "line %d", i);
    return NULL;
}

Test(log, lines_of_many_threads_come_one_at_a_time)
{
    heard all = {0};
    pthread_t threads[THREADS];
    kas_log_set(KAS_LOG_INFO, hear, &all);
    for (int i = 0; i < THREADS; ++i)
        cr_assert_eq(pthread_create(&threads[i], NULL, say_much, NULL), 0);
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    cr_expect_eq(all.lines, THREADS * LINES);
}

Test(log, a_sink_that_was_replaced_is_not_called_again)
{
    heard two[2] = {{0}};
    pthread_t threads[THREADS];
    kas_log_set(KAS_LOG_INFO, hear, &two[0]);
    for (int i = 0; i < THREADS; ++i)
        cr_assert_eq(pthread_create(&threads[i], NULL, say_much, NULL), 0);
    for (int i = 1; i <= REPLACEMENTS; ++i) {
        heard *old = &two[(i + 1) % 2], *next = &two[i % 2];
        atomic_store(&next->over, false);
        kas_log_set(KAS_LOG_INFO, hear, next);
        atomic_store(&old->over, true);
    }
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    cr_expect_eq(two[0].late + two[1].late, 0);
    cr_expect_eq(two[0].lines + two[1].lines, THREADS * LINES);
}
