#include "tests/unit/graph_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECK_LEAKS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CHECK_LEAKS 1
#endif
#ifdef CHECK_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

void expect_no_leaks(void)
{
#ifdef CHECK_LEAKS
    if (__lsan_do_recoverable_leak_check()) abort(); /* a failed assertion does not count at this point */
#endif
}

enum { ROWS = 3 };

static double *evaluate(const kas_graph *graph, const float *x)
{
    double *y = kas_alloc_array(ROWS * graph->tensors[graph->output].elements, sizeof *y);
    cr_assert_null(kas_graph_reference(graph, x, ROWS, y));
    return y;
}

void simplify_keeping_function(kas_graph *graph)
{
    size_t inputs = graph->tensors[graph->input].elements, outputs = graph->tensors[graph->output].elements;
    float *x = kas_alloc_array(ROWS * inputs, sizeof *x);
    for (size_t i = 0; i < ROWS * inputs; ++i)
        x[i] = random_within(4);
    double *before = evaluate(graph, x);
    cr_assert_null(kas_graph_simplify(graph));
    kas_status status = kas_graph_check(graph);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_assert_eq(graph->tensors[graph->output].elements, outputs);
    double *after = evaluate(graph, x);
    for (size_t i = 0; i < ROWS * outputs; ++i) {
        double tolerance = 5e-6 + 1e-5 * fabs(before[i]);
        bool close = fabs(after[i] - before[i]) <= tolerance;
        cr_assert(close || !isfinite(before[i]), "element %zu was %.9g, is %.9g", i, before[i], after[i]);
    }
    kas_free(x);
    kas_free(before);
    kas_free(after);
}

void expect_refusal(kas_status status, const char *reason, const char *part)
{
    cr_assert_not_null(status, "not refused; expected %s", reason);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARTIFACT);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), part), "\"%s\" lacks \"%s\"",
                       kas_status_message(status), part);
    kas_status_free(status);
}
