/* Runs the tests that registered themselves, each in a child. Options of Criterion's command line are
 * ignored; a word that is none runs only the tests whose suite/name holds it. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static plain_test *tests; /* filled by constructors, before main */
static atomic_uint failures;

void plain_register(plain_test *test)
{
    test->next = tests;
    tests = test;
}

void plain_fail(bool fatal, const char *file, int line, const char *condition, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: failed: %s:%s\n", file, line, condition, text);
    atomic_fetch_add(&failures, 1);
    if (fatal) _exit(1); /* other threads may be anywhere: nothing of theirs is waited for */
}

static const plain_options *suite_of(const plain_test *test)
{
    static const plain_options none;
    for (const plain_test *at = tests; at; at = at->next)
        if (!at->run && !strcmp(at->suite, test->suite)) return &at->options;
    return &none;
}

static void run_here(const plain_test *test)
{
    const plain_options *suite = suite_of(test);
    unsigned timeout = test->options.timeout ? test->options.timeout : suite->timeout;
    if (timeout) alarm(10 * timeout); /* what they are meant for is ten times as fast */
    if (suite->init) suite->init();
    if (test->options.init) test->options.init();
    test->run();
    if (test->options.fini) test->options.fini();
    if (suite->fini) suite->fini();
    exit(atomic_load(&failures) > 0);
}

static bool run_in_child(const plain_test *test)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) run_here(test);
    bool good = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
    if (!good)
        fprintf(stderr, "%s::%s failed (wait status 0x%x)\n", test->suite, test->name, (unsigned)status);
    return good;
}

static bool is_wanted(const plain_test *test, int argc, char **argv)
{
    char full[256];
    bool filtered = false;
    snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    for (int i = 1; i < argc; ++i) {
        if (argv[i][0] < 'a' || argv[i][0] > 'z') continue;
        if (strstr(full, argv[i])) return true;
        filtered = true;
    }
    return !filtered;
}

int main(int argc, char **argv)
{
    unsigned run = 0, failed = 0;
    for (const plain_test *test = tests; test; test = test->next) {
        if (!test->run || !is_wanted(test, argc, argv)) continue;
        ++run;
        failed += !run_in_child(test);
    }
    printf("%u tests, %u failed\n", run, failed);
    return failed || !run;
}
