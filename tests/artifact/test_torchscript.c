/* TorchScript's code: what it computes, compared with PyTorch's own answers, and how it is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/script_archive.h"

enum { WIDTH = 12, ROWS = 2, ARCHIVE_MAX = 1 << 20 };

static kas_status decode(const char *code, size_t size, kas_artifact *out)
{
    static uint8_t archive[ARCHIVE_MAX];
    cr_assert_leq(size + SCRIPT_ARCHIVE_OVERHEAD, sizeof archive);
    return kas_artifact_decode(archive, script_archive(code, size, archive), "kernel.pt", NULL, out);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* "# y: 1.5 −2 …" of a case's first line against the kernel's answer. */
static void expect_answers(const char *name, const char *line, const double *got, size_t count)
{
    char *at = (char *)line + strlen("# y:");
    for (size_t i = 0; i < count; ++i) {
        char *rest;
        const double want = strtod(at, &rest);
        cr_assert_neq(rest, at, "%s: the case has only %zu answers of %zu", name, i, count);
        cr_expect_lt(fabs(got[i] - want), 1e-5 + 1e-4 * fabs(want), "%s: element %zu is %.9g, not %.9g", name,
                     i, got[i], want);
        at = rest;
    }
    cr_expect_eq(*at, '\n', "%s: the case has more than %zu answers", name, count);
}

static void check_case(const char *name)
{
    char path[512];
    kas_bytes code;
    kas_artifact artifact;
    float x[ROWS * WIDTH];
    snprintf(path, sizeof path, "%s/tests/artifact/torchscript/%s.py", KASMINA_SOURCE_DIR, name);
    kas_status status = kas_file_read(path, ARCHIVE_MAX, &code);
    cr_assert_null(status, "%s", kas_status_message(status));
    status = decode((const char *)code.data, code.size, &artifact);
    cr_assert_null(status, "%s: %s", name, kas_status_message(status));
    cr_expect_eq(artifact.format, KAS_FORMAT_TORCHSCRIPT);
    cr_expect_eq(artifact.parameter_count, 36 + 3 + 16 + 12 + 12, "%s: %zu", name,
                 (size_t)artifact.parameter_count);
    cr_assert_eq(artifact.graph->tensors[artifact.graph->input].elements, WIDTH, "%s", name);
    for (int i = 0; i < ROWS * WIDTH; ++i)
        x[i] = (float)((i * 29) % 17 - 8) / 8.0f;
    const size_t count = ROWS * artifact.graph->tensors[artifact.graph->output].elements;
    double *y = kas_alloc_array(count, sizeof *y);
    cr_assert_not_null(y);
    status = kas_graph_reference(artifact.graph, x, ROWS, y);
    cr_assert_null(status, "%s: %s", name, kas_status_message(status));
    expect_answers(name, (const char *)code.data, y, count);
    kas_free(y);
    kas_artifact_finish(&artifact);
    kas_bytes_free(&code);
}

Test(torchscript, answers)
{
    static const char *const cases[] = {"activation", "elementwise", "index",  "inplace", "language",
                                        "norm",       "product",     "reduce", "shape",   "window"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        check_case(cases[i]);
}
