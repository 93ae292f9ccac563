/* A stand-in for Criterion where the thread sanitizer is on: Criterion's arena cannot live beside that
 * sanitizer's shadow memory (its issue 274). The words that tests labelled `threads` use, and no more. Each
 * test runs in a process of its own. */
#ifndef KAS_TESTS_PLAIN_CRITERION_H
#define KAS_TESTS_PLAIN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct plain_options {
    unsigned timeout; /* seconds; 0: none */
    void (*init)(void);
    void (*fini)(void);
} plain_options;

typedef struct plain_test {
    const char *suite, *name;
    plain_options options;
    void (*run)(void); /* NULL: a suite, whose options hold for its tests */
    struct plain_test *next;
} plain_test;

void plain_register(plain_test *test);
void plain_fail(bool fatal, const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define TestSuite(Suite, ...)                                                                                \
    __attribute__((constructor)) static void plain_suite_##Suite(void)                                       \
    {                                                                                                        \
        static plain_test suite = {.suite = #Suite, .name = "", .options = {__VA_ARGS__}};                   \
        plain_register(&suite);                                                                              \
    }                                                                                                        \
    struct plain_options

#define Test(Suite, Name, ...)                                                                               \
    static void Suite##_##Name##_impl(void);                                                                 \
    __attribute__((constructor)) static void Suite##_##Name##_register(void)                                 \
    {                                                                                                        \
        static plain_test test = {                                                                           \
            .suite = #Suite, .name = #Name, .options = {__VA_ARGS__}, .run = Suite##_##Name##_impl};         \
        plain_register(&test);                                                                               \
    }                                                                                                        \
    static void Suite##_##Name##_impl(void)

#define plain_check(Fatal, Condition, Text, ...)                                                             \
    do {                                                                                                     \
        if (!(Condition)) plain_fail((Fatal), __FILE__, __LINE__, Text, " " __VA_ARGS__);                    \
    } while (0)

#define cr_assert(C, ...)           plain_check(true, C, #C, __VA_ARGS__)
#define cr_assert_not(C, ...)       plain_check(true, !(C), "not " #C, __VA_ARGS__)
#define cr_assert_eq(A, B, ...)     plain_check(true, (A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_assert_neq(A, B, ...)    plain_check(true, (A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_assert_lt(A, B, ...)     plain_check(true, (A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_assert_leq(A, B, ...)    plain_check(true, (A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_assert_gt(A, B, ...)     plain_check(true, (A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_assert_geq(A, B, ...)    plain_check(true, (A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_assert_null(P, ...)      plain_check(true, (P) == NULL, #P " is NULL", __VA_ARGS__)
#define cr_assert_not_null(P, ...)  plain_check(true, (P) != NULL, #P " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(A, B, ...) plain_check(true, !strcmp(A, B), #A " is " #B, __VA_ARGS__)
#define cr_assert_fail(...)         plain_check(true, false, "failed", __VA_ARGS__)
#define cr_expect(C, ...)           plain_check(false, C, #C, __VA_ARGS__)
#define cr_expect_not(C, ...)       plain_check(false, !(C), "not " #C, __VA_ARGS__)
#define cr_expect_eq(A, B, ...)     plain_check(false, (A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_expect_neq(A, B, ...)    plain_check(false, (A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_expect_lt(A, B, ...)     plain_check(false, (A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_expect_leq(A, B, ...)    plain_check(false, (A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_expect_gt(A, B, ...)     plain_check(false, (A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_expect_geq(A, B, ...)    plain_check(false, (A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_expect_null(P, ...)      plain_check(false, (P) == NULL, #P " is NULL", __VA_ARGS__)
#define cr_expect_not_null(P, ...)  plain_check(false, (P) != NULL, #P " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) plain_check(false, !strcmp(A, B), #A " is " #B, __VA_ARGS__)

#endif
