/* kasmina kernel inspect: what a file holds, without a server. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/describe.h"
#include "cli/remote.h"
#include "cli/table.h"

static const cli_column node_columns[] = {
    {"#", "index", true},      {"OPERATOR", "operator", false}, {"HOW", "detail", false},
    {"READS", "reads", false}, {"MAKES", "shape", false},
};
static const cli_column device_columns[] = {
    {"DEVICE", "device", false},        {"RUNS", "runs", false},
    {"LAUNCHES", "launches", false},    {"WEIGHT BYTES", "weight_bytes", true},
    {"ROWS AT ONCE", "rows_max", true}, {"REASON", "reason", false},
};
enum {
    NODE_COLUMNS = sizeof node_columns / sizeof *node_columns,
    DEVICE_COLUMNS = sizeof device_columns / sizeof *device_columns
};

/* "INxOUT" of --layer. */
static bool parse_layer(const char *text, size_t *inputs, size_t *outputs)
{
    char end;
    return sscanf(text, "%zux%zu%c", inputs, outputs, &end) == 2 && *inputs > 0 && *outputs > 0;
}

/* Whether a layer of these sizes can take it, and why not. */
static json_t *fit(const kas_graph *graph, size_t inputs, size_t outputs)
{
    size_t has_in = graph->tensors[graph->input].elements, has_out = graph->tensors[graph->output].elements;
    bool fits = has_in == inputs && has_out == outputs;
    char why[160] = "";
    if (!fits)
        snprintf(why, sizeof why, "the kernel maps %zu to %zu values, the layer %zu to %zu", has_in, has_out,
                 inputs, outputs);
    return json_pack("{s:b, s:s}", "compatible", fits, "reason", why);
}

/* "x [64], fc1.weight [48, 64] constant" for a cell. */
static void join_inputs(json_t *node)
{
    char text[400] = "";
    size_t index, length = 0;
    json_t *input;
    json_array_foreach(json_object_get(node, "inputs"), index, input)
    {
        int added = snprintf(text + length, sizeof text - length, "%s%s %s", index ? ", " : "",
                             json_string_value(json_object_get(input, "name")),
                             json_string_value(json_object_get(input, "shape")));
        if (added < 0 || (size_t)added >= sizeof text - length) break;
        length += (size_t)added;
    }
    json_object_set_new(node, "reads", json_string(text));
}

static int print_tables(json_t *report)
{
    json_t *nodes = json_incref(json_object_get(report, "nodes"));
    json_t *devices = json_incref(json_object_get(report, "devices"));
    size_t index;
    json_t *node;
    json_array_foreach(nodes, index, node) join_inputs(node);
    json_object_del(report, "nodes");
    json_object_del(report, "devices");
    int result = cli_print_object(report);
    if (putchar('\n') >= 0 && result == CLI_OK) result = cli_print_table(nodes, node_columns, NODE_COLUMNS);
    if (putchar('\n') >= 0 && result == CLI_OK)
        result = cli_print_table(devices, device_columns, DEVICE_COLUMNS);
    json_decref(nodes);
    json_decref(devices);
    return result;
}

static int print_report(const cli_arguments *arguments, const kas_artifact *artifact, json_t *layer)
{
    json_t *report = cli_describe_artifact(artifact);
    json_object_set_new(report, "devices", cli_describe_devices(artifact->graph));
    if (layer) json_object_set(report, "layer", layer);
    int result = CLI_OK;
    if (cli_switch(arguments, "json")) {
        if (json_dumpf(report, stdout, JSON_INDENT(2)) || putchar('\n') < 0)
            result = cli_failure("cannot write the report");
    } else {
        result = print_tables(report);
    }
    json_decref(report);
    return result;
}

static int report(const cli_arguments *arguments, const kas_artifact *artifact)
{
    const char *sizes = cli_value(arguments, "layer");
    size_t inputs, outputs;
    json_t *layer = NULL;
    if (cli_switch(arguments, "dot")) {
        cli_print_dot(stdout, artifact->graph);
        return CLI_OK;
    }
    if (sizes && !parse_layer(sizes, &inputs, &outputs))
        return cli_usage_error(arguments->command, "--layer '%s': sizes such as 64x10 are wanted", sizes);
    if (sizes) layer = fit(artifact->graph, inputs, outputs);
    int result = print_report(arguments, artifact, layer);
    if (layer && !json_is_true(json_object_get(layer, "compatible"))) result = CLI_FAILED;
    json_decref(layer);
    return result;
}

static int inspect(const cli_arguments *arguments)
{
    const char *file = arguments->operands[0];
    unsigned char *bytes;
    size_t size;
    kas_artifact artifact = {0};
    if (!cli_read_file(file, &bytes, &size)) return CLI_FAILED;
    kas_status status = kas_artifact_decode(bytes, size, file, NULL, &artifact);
    free(bytes);
    if (status) {
        const char *reason = kas_status_reason(status);
        int result =
            cli_failure("%s: refused%s%s: %s", file, *reason ? ", " : "", reason, kas_status_message(status));
        kas_status_free(status);
        return result;
    }
    int result = report(arguments, &artifact);
    kas_artifact_finish(&artifact);
    return result;
}

static const cli_option options[] = {
    {"layer", "INxOUT", NULL, "also whether a layer of these sizes can take it; exit code 1 if not"},
    {"dot", NULL, NULL, "the graph for Graphviz instead"},
    {"json", NULL, NULL, "for programs"},
};
const cli_command cli_kernel_inspect = {
    "kernel inspect",
    "FILE",
    "Shows what a kernel's file holds and how this machine's devices would run it",
    "  kasmina kernel inspect good.onnx --layer 64x10\n"
    "  kasmina kernel inspect good.onnx --dot | dot -Tsvg >good.svg\n",
    false,
    options,
    3,
    inspect};
