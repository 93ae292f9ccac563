/* The thread that writes the log, and a reader of it who hangs. Labelled `threads`: lines come from any
 * thread. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_writer.h"

enum { THREADS = 4, LINES = 5000 };

static int reading, real_stderr; /* the end of the pipe that stands in for stderr */

static void take_stderr(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    reading = ends[0];
    real_stderr = dup(STDERR_FILENO);
    cr_assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
}

static void give_stderr_back(void)
{
    cr_assert(dup2(real_stderr, STDERR_FILENO) == STDERR_FILENO);
    close(real_stderr);
}

static void *say_much(void *user)
{
    (void)user;
    for (int i = 0; i < LINES; ++i)
        kas_warning("here", "line %d of some length, so that there is soon no room for it any more", i);
    return NULL;
}

static void say_much_in_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; ++i)
        cr_assert_eq(pthread_create(&threads[i], NULL, say_much, NULL), 0);
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
}

typedef struct heard {
    unsigned lines, lost, notices;
} heard;

/* Until the other end is closed. */
static void *hear(void *user)
{
    heard *all = user;
    char line[4096];
    FILE *file = fdopen(reading, "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *told = strstr(line, "warning log: ");
        all->notices += told != NULL;
        if (told)
            all->lost += (unsigned)strtoul(told + strlen("warning log: "), NULL, 10);
        else
            all->lines += strstr(line, "warning here: line ") != NULL;
    }
    if (file) fclose(file);
    return NULL;
}

Test(log_writer, every_line_arrives_where_somebody_reads, .timeout = 60)
{
    heard all = {0};
    pthread_t reader;
    take_stderr();
    cr_assert_null(kas_log_writer_start());
    cr_assert_eq(pthread_create(&reader, NULL, hear, &all), 0);
    kas_warning("here", "line of one");
    cr_expect(kas_log_writer_stop(30 * KAS_NS_PER_S));
    kas_warning("here", "line that is written at once, as before");
    give_stderr_back();
    pthread_join(reader, NULL);
    cr_expect_eq(all.lines, 2);
    cr_expect_eq(all.notices, 0);
}

/* Nobody waits for the reader, neither who logs nor who ends; later each line is there, or counted. */
Test(log_writer, nobody_waits_for_a_reader_who_hangs, .timeout = 60)
{
    heard all = {0};
    pthread_t reader;
    take_stderr();
    cr_assert_null(kas_log_writer_start());
    say_much_in_threads();
    cr_expect_not(kas_log_writer_stop(KAS_NS_PER_MS), "somebody reads");
    cr_assert_eq(pthread_create(&reader, NULL, hear, &all), 0);
    cr_expect(kas_log_writer_stop(30 * KAS_NS_PER_S));
    give_stderr_back();
    pthread_join(reader, NULL);
    cr_expect_gt(all.lines, 0);
    cr_expect_gt(all.notices, 0);
    cr_expect_eq(all.lines + all.lost, THREADS * LINES);
}
