/* TorchScript's code: what it computes, compared with PyTorch's own answers. The cases are in the folder
 * torchscript, where expect.py makes the answers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/artifact/artifact.h"
#include "engine/artifact/torchscript_reader.h"
#include "tests/artifact/script_archive.h"

enum { WIDTH = 12, ROWS = 2, FILE_MAX_BYTES = 1 << 20 };

/* ---- answers ---- */

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

static kas_bytes read_case(const char *name)
{
    char path[512];
    kas_bytes code;
    snprintf(path, sizeof path, "%s/tests/artifact/torchscript/%s.py", KASMINA_SOURCE_DIR, name);
    kas_status status = kas_file_read(path, FILE_MAX_BYTES, &code);
    cr_assert_null(status, "%s", kas_status_message(status));
    return code;
}

static void check_case(const char *name)
{
    kas_bytes code = read_case(name);
    kas_artifact artifact;
    float x[ROWS * WIDTH];
    kas_status status = script_decode(code.data, code.size, NULL, &artifact);
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
    static const char *const cases[] = {"activation", "elementwise", "fill",   "index", "inplace", "language",
                                        "norm",       "product",     "reduce", "shape", "window"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        check_case(cases[i]);
}

/* ---- examples of the input ---- */

static kas_status decode_traced(const char *result, unsigned example_rows, kas_artifact *out)
{
    char code[256];
    const int size = snprintf(code, sizeof code,
                              "class Kernel(Module):\n  def forward(self, x):\n    return %s\n", result);
    zip_image archive = script_archive(code, (size_t)size, example_rows);
    cr_assert_not_null(archive.bytes);
    kas_status status = kas_artifact_decode(archive.bytes, archive.size, "kernel.pt", NULL, out);
    zip_image_free(&archive);
    return status;
}

/* An example tells the width where no call does, and which sizes in the code are the batch's. */
Test(torchscript, an_example_tells_the_shape)
{
    static const char *const results[] = {"torch.relu(x)", "torch.view(torch.view(x, [7, 3, 4]), [7, 12])",
                                          "torch.flatten(torch.expand(torch.unsqueeze(x, 1), [7, 1, 12]), 1)",
                                          "torch.view(torch.view(x, [21, 4]), [7, -1])"};
    for (size_t i = 0; i < sizeof results / sizeof *results; ++i) {
        kas_artifact artifact;
        kas_status status = decode_traced(results[i], 7, &artifact);
        cr_assert_null(status, "%s: %s", results[i], kas_status_message(status));
        cr_expect_eq(artifact.graph->tensors[artifact.graph->input].elements, WIDTH, "%s", results[i]);
        kas_artifact_finish(&artifact);
        status = decode_traced(results[i], 0, &artifact);
        cr_expect_not_null(status, "%s", results[i]);
        kas_status_free(status);
    }
}

/* What shows the width where there is no example. */
Test(torchscript, the_first_call_that_tells_shows_the_width)
{
    static const struct {
        const char *result;
        size_t width;
    } cases[] = {
        {"torch.linear(torch.relu(x), self.weight)", 12},
        {"torch.layer_norm(torch.tanh(x), [9])", 9},
        {"torch.mul(torch.sub(x, torch.mean(x, [1], True)), self.gain)", 12},
        {"torch.flatten(torch.mul(torch.unsqueeze(x, -1), torch.unsqueeze(self.gain, -1)), 1)", 12},
        {"torch.view(torch.neg(x), [torch.size(x, 0), 3, 5])", 15},
        {"torch.mul(torch.glu(x), self.gain)", 24},
        {"torch.linear(torch.chunk(x, 5, 1)[4], self.weight)", 60},
        {"torch.linear(torch.cat([x, x], 1), self.weight)", 6},
        {"[x, torch.relu(x)][int(torch.eq(torch.size(x, 1), 21))]", 21},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_artifact artifact;
        kas_status status = decode_traced(cases[i].result, 0, &artifact);
        cr_assert_null(status, "%s: %s", cases[i].result, kas_status_message(status));
        cr_expect_eq(artifact.graph->tensors[artifact.graph->input].elements, cases[i].width, "%s",
                     cases[i].result);
        kas_artifact_finish(&artifact);
    }
}

/* ---- limits ---- */

/* language.py under limits that it breaks. */
Test(torchscript, keeps_to_the_limits_it_is_given)
{
    static const struct {
        kas_artifact_limits limits;
        const char *part;
    } cases[] = {
        {{.nodes = 8}, "more nodes than the limit of 8"},
        {{.nesting = 1}, "nested deeper than the limit of 1"},
        {{.parameters = 10}, "12 parameters are over the limit of 10"},
        {{.memory_bytes = 1 << 15}, "left of its limit"},
    };
    kas_bytes code = read_case("language");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_artifact artifact;
        kas_status status = script_decode(code.data, code.size, &cases[i].limits, &artifact);
        cr_assert_not_null(status, "%s", cases[i].part);
        cr_expect_str_eq(kas_status_reason(status), "limit", "%s", kas_status_message(status));
        cr_expect_not_null(strstr(kas_status_message(status), cases[i].part), "%s: %s", cases[i].part,
                           kas_status_message(status));
        kas_status_free(status);
    }
    kas_bytes_free(&code);
}

/* ---- the documentation ---- */

static void expect_documented(const char *docs, const kas_script_op *ops)
{
    char name[128];
    for (; ops->name; ++ops) {
        snprintf(name, sizeof name, "`%s`", ops->name);
        cr_expect_not_null(strstr(docs, name), "docs/artifacts.md does not name %s", name);
    }
}

Test(torchscript, the_documentation_names_every_call)
{
    static const kas_script_op *const tables[] = {
        kas_script_ops_language, kas_script_ops_activation, kas_script_ops_elementwise,
        kas_script_ops_product,  kas_script_ops_norm,       kas_script_ops_shape,
        kas_script_ops_index,    kas_script_ops_reduce,     kas_script_ops_window,
        kas_script_ops_fill,
    };
    kas_bytes docs;
    kas_status status = kas_file_read(KASMINA_SOURCE_DIR "/docs/artifacts.md", FILE_MAX_BYTES, &docs);
    cr_assert_null(status, "%s", kas_status_message(status));
    char *text = strndup((const char *)docs.data, docs.size);
    cr_assert_not_null(text);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i)
        expect_documented(text, tables[i]);
    free(text);
    kas_bytes_free(&docs);
}

/* ---- memory ---- */

/* Each allocation of a decoding fails in turn; the first that does not reach its failure ends the test. */
Test(torchscript, every_allocation_may_fail)
{
    kas_bytes code = read_case("language");
    zip_image archive = script_archive(code.data, code.size, 0);
    cr_assert_not_null(archive.bytes);
    uint64_t failed = 0;
    for (bool done = false; !done; failed += !done) {
        kas_artifact artifact;
        kas_alloc_fail_at(failed + 1);
        kas_status status = kas_artifact_decode(archive.bytes, archive.size, "kernel.pt", NULL, &artifact);
        kas_alloc_fail_at(0);
        done = status == NULL;
        if (!done) cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY, "%s", kas_status_message(status));
        if (!done) cr_expect_null(artifact.graph);
        kas_status_free(status);
        kas_artifact_finish(&artifact);
    }
    cr_expect_gt(failed, 20);
    zip_image_free(&archive);
    kas_bytes_free(&code);
}
