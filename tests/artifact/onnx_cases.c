/* Runs ONNX models for tools/onnx-conformance. Reads lines "MODEL<tab>INPUT<tab>OUTPUT" (file names) from
 * stdin and answers each with a line: "ran", having written the output's rows as float64, or
 * "refused<tab>REASON<tab>MESSAGE". The input has as many rows of float32 as it has. Exits 1 on anything that
 * is neither. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/float32.h"

static kas_status evaluate(const kas_graph *graph, const char *input, const char *output)
{
    kas_bytes x;
    KAS_TRY(kas_file_read(input, SIZE_MAX, &x));
    const size_t rows = x.size / (graph->tensors[graph->input].elements * sizeof(float));
    const size_t count = rows * graph->tensors[graph->output].elements;
    double *y = kas_alloc_array(count, sizeof *y);
    kas_status status =
        y ? evaluate_as_float32(graph, (const float *)(const void *)x.data, rows, y) : kas_out_of_memory();
    if (!status) status = kas_file_replace(output, y, count * sizeof *y);
    kas_free(y);
    kas_bytes_free(&x);
    return status;
}

static kas_status run_case(const char *model, const char *input, const char *output)
{
    kas_bytes bytes;
    kas_artifact artifact;
    KAS_TRY(kas_file_read(model, SIZE_MAX, &bytes));
    kas_status status = kas_artifact_decode(bytes.data, bytes.size, model, NULL, &artifact);
    kas_bytes_free(&bytes);
    if (status) return status;
    status = evaluate(artifact.graph, input, output);
    kas_artifact_finish(&artifact);
    return status;
}

static int answer(kas_status status)
{
    const kas_code code = kas_status_code(status);
    if (!status)
        puts("ran");
    else if (code == KAS_INVALID_ARTIFACT)
        printf("refused\t%s\t%s\n", kas_status_reason(status), kas_status_message(status));
    else
        fprintf(stderr, "onnx_cases: %s\n", kas_status_message(status));
    fflush(stdout);
    kas_status_free(status);
    return code == KAS_OK || code == KAS_INVALID_ARTIFACT;
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        const char *model = strtok(line, "\t\n"), *input = strtok(NULL, "\t\n"),
                   *output = strtok(NULL, "\t\n");
        if (!output || !answer(run_case(model, input, output))) return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
