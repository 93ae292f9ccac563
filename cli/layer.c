/* kasmina layer … */
#include "cli/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pages.h"
#include "cli/remote.h"
#include "cli/table.h"

static const cli_column columns[] = {
    {"NAME", "name", false},         {"IN", "input_size", true},       {"OUT", "output_size", true},
    {"SEEDS", "num_seeds", true},    {"ACTIVE", "active_seeds", true}, {"DEVICE", "device", false},
    {"REPLICAS", "replicas", false}, {"STATE", "state", false},        {"GENERATION", "generation", true},
};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns };

/* Of each replica its device, and a word where passes do not take it yet: what fits into a cell. */
static void tell_replicas(json_t *layer)
{
    json_t *names = json_array(), *replica;
    size_t index;
    json_array_foreach(json_object_get(layer, "replicas"), index, replica)
    {
        const char *device = json_string_value(json_object_get(replica, "device"));
        bool ready = json_is_true(json_object_get(replica, "ready"));
        json_array_append_new(names,
                              json_sprintf("%s%s", device ? device : "?", ready ? "" : " (not ready)"));
    }
    json_object_set_new(layer, "replicas", names);
}

static int print_layer(const cli_arguments *arguments, json_t *layer)
{
    if (arguments->json) return CLI_OK;
    tell_replicas(layer);
    json_t *rows = json_pack("[O]", layer);
    int result = cli_print_table(rows, columns, COLUMN_COUNT);
    json_decref(rows);
    return result;
}

/* And prints the layer as it is with them. */
static int put_weights(const cli_arguments *arguments, const char *path, const cli_body *weights)
{
    cli_answer answer;
    int result = cli_send(arguments, "PUT", path, weights, &answer);
    if (result != CLI_OK) return result;
    json_t *now = NULL;
    result = cli_take_json(arguments, &answer, &now);
    cli_answer_free(&answer);
    if (result == CLI_OK) result = print_layer(arguments, now);
    json_decref(now);
    return result;
}

/* A new layer that does not get its weights would serve random ones: it is taken back. */
static int fill_new(const cli_arguments *arguments, const char *layer, const cli_body *weights)
{
    int result = put_weights(arguments, cli_path("/v1/layers/%s/weights", layer), weights);
    if (result == CLI_OK) return result;
    cli_send_json(arguments, "DELETE", cli_path("/v1/layers/%s", layer), NULL, NULL);
    return cli_failure("layer %s is not made, as it did not get its weights", layer);
}

/* "a,b" → ["a", "b"]; "none": []. */
static json_t *device_list(const char *text)
{
    json_t *devices = json_array();
    if (!strcmp(text, "none")) return devices;
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, ",");
        json_array_append_new(devices, json_stringn(text, (size_t)(end - text)));
    }
    return devices;
}

/* NULL after a message. */
static json_t *read_creation(const cli_arguments *arguments)
{
    long long input = 0, output = 0, seeds = 4, init_seed = 0;
    if (!cli_value(arguments, "input") || !cli_value(arguments, "output")) {
        cli_usage_error(arguments->command, "--input and --output are needed");
        return NULL;
    }
    if (!cli_integer(arguments, "input", 1, 1 << 24, &input) ||
        !cli_integer(arguments, "output", 1, 1 << 24, &output) ||
        !cli_integer(arguments, "seeds", 1, 64, &seeds) ||
        !cli_integer(arguments, "init-seed", 0, 0x7fffffffffffffffll, &init_seed))
        return NULL;
    const char *device = cli_value(arguments, "device"), *math = cli_value(arguments, "math");
    json_t *request =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "name", arguments->operands[0], "input_size",
                  (json_int_t)input, "output_size", (json_int_t)output, "num_seeds", (json_int_t)seeds,
                  "init_seed", (json_int_t)init_seed, "bias", !cli_switch(arguments, "no-bias"), "device",
                  device ? device : "auto", "math", math ? math : "invariant");
    const char *others = cli_value(arguments, "replica");
    if (others) json_object_set_new(request, "replicas", device_list(others));
    return request;
}

/* Takes the request; `weights` may be empty. */
static int send_creation(const cli_arguments *arguments, json_t *request, const cli_body *weights)
{
    const cli_arguments sent = weights->size ? cli_quiet(arguments) : *arguments;
    json_t *layer;
    int result = cli_send_json(&sent, "POST", "/v1/layers", request, &layer);
    if (result != CLI_OK) return result;
    result =
        weights->size ? fill_new(arguments, arguments->operands[0], weights) : print_layer(arguments, layer);
    json_decref(layer);
    return result;
}

static int create(const cli_arguments *arguments)
{
    const char *file = cli_value(arguments, "weights");
    unsigned char *bytes = NULL;
    cli_body weights = {.type = "application/octet-stream"};
    json_t *request = read_creation(arguments);
    if (!request) return CLI_USAGE;
    if (file && !cli_read_file(file, &bytes, &weights.size)) {
        json_decref(request);
        return CLI_FAILED;
    }
    weights.bytes = bytes;
    int result = send_creation(arguments, request, &weights);
    free(bytes);
    return result;
}

static int list(const cli_arguments *arguments)
{
    json_t *layers, *layer;
    size_t index;
    int result = cli_list(arguments, "/v1/layers", "layers", &layers);
    if (result != CLI_OK) return result;
    json_array_foreach(layers, index, layer) tell_replicas(layer);
    if (!arguments->json) result = cli_print_table(layers, columns, COLUMN_COUNT);
    json_decref(layers);
    return result;
}

static int show(const cli_arguments *arguments)
{
    json_t *layer;
    int result =
        cli_send_json(arguments, "GET", cli_path("/v1/layers/%s", arguments->operands[0]), NULL, &layer);
    if (result != CLI_OK) return result;
    if (!arguments->json) {
        json_t *seeds = json_incref(json_object_get(layer, "seeds"));
        json_object_del(layer, "seeds");
        tell_replicas(layer);
        result = cli_print_object(layer);
        if (result == CLI_OK && putchar('\n') < 0) result = CLI_FAILED;
        if (result == CLI_OK) result = cli_print_seeds(seeds);
        json_decref(seeds);
    }
    json_decref(layer);
    return result;
}

static int delete_layer(const cli_arguments *arguments)
{
    const char *path = cli_switch(arguments, "force")
                           ? cli_path("/v1/layers/%s?force=true", arguments->operands[0])
                           : cli_path("/v1/layers/%s", arguments->operands[0]);
    return cli_send_json(arguments, "DELETE", path, NULL, NULL);
}

static int patch_layer(const cli_arguments *arguments, json_t *request)
{
    json_t *layer;
    int result =
        cli_send_json(arguments, "PATCH", cli_path("/v1/layers/%s", arguments->operands[0]), request, &layer);
    if (result != CLI_OK) return result;
    result = print_layer(arguments, layer);
    json_decref(layer);
    return result;
}

static int move(const cli_arguments *arguments)
{
    return patch_layer(arguments, json_pack("{s:s}", "device", arguments->operands[1]));
}

static int replicas(const cli_arguments *arguments)
{
    return patch_layer(arguments, json_pack("{s:o}", "replicas", device_list(arguments->operands[1])));
}

static int upload(const cli_arguments *arguments, const char *file)
{
    const char *layer = arguments->operands[0], *epoch = cli_value(arguments, "at-epoch");
    unsigned char *bytes;
    cli_body body = {.type = "application/octet-stream"};
    if (!cli_read_file(file, &bytes, &body.size)) return CLI_FAILED;
    body.bytes = bytes;
    int result = put_weights(arguments,
                             epoch ? cli_path("/v1/layers/%s/weights?at_epoch=%s", layer, epoch)
                                   : cli_path("/v1/layers/%s/weights", layer),
                             &body);
    free(bytes);
    return result;
}

static int weights(const cli_arguments *arguments)
{
    const char *put = cli_value(arguments, "put"), *get = cli_value(arguments, "get");
    if (!put == !get) return cli_usage_error(arguments->command, "either --put FILE or --get FILE");
    if (put) return upload(arguments, put);
    cli_answer answer;
    int result =
        cli_send(arguments, "GET", cli_path("/v1/layers/%s/weights", arguments->operands[0]), NULL, &answer);
    if (result == CLI_OK && !cli_write_file(get, answer.bytes, answer.size)) result = CLI_FAILED;
    cli_answer_free(&answer);
    return result;
}

static const cli_option create_options[] = {
    {"input", "N", NULL, "features of an input row (needed)"},
    {"output", "N", NULL, "features of an output row (needed)"},
    {"seeds", "N", NULL, "slots for kernels (4)"},
    {"device", "ID", NULL, "host:0, vulkan:UUID, vulkan:part of its name … (auto)"},
    {"replica", "IDS", NULL, "other devices that it is to be on, separated by commas"},
    {"math", "KIND", NULL,
     "invariant: bits do not depend on the batch; fast: a vendor's library may be used (invariant)"},
    {"no-bias", NULL, NULL, "without a bias"},
    {"init-seed", "N", NULL, "of PyTorch's Linear initialisation (0)"},
    {"weights", "FILE", NULL, "safetensors with 'weight' [out, in] and optional 'bias'"},
};
static const cli_option delete_options[] = {{"force", NULL, NULL, "also with fossilized seeds"}};
static const cli_option weights_options[] = {
    {"put", "FILE", NULL, "safetensors to upload"},
    {"get", "FILE", NULL, "where to write the layer's weights; - is standard output"},
    {"at-epoch", "N", NULL, "stage them for this epoch"},
};

const cli_command cli_layer_create = {
    "layer create",
    "NAME",
    "Creates a layer",
    "  kasmina layer create digits --input 64 --output 10 --weights base.safetensors\n",
    true,
    create_options,
    sizeof create_options / sizeof *create_options,
    create};
const cli_command cli_layer_list = {
    "layer list", "", "Lists the layers", "  kasmina layer list\n", true, NULL, 0, list};
const cli_command cli_layer_show = {
    "layer show", "NAME", "Shows a layer and its seeds", "  kasmina layer show digits\n", true, NULL, 0,
    show};
const cli_command cli_layer_delete = {
    "layer delete", "NAME", "Deletes a layer", "  kasmina layer delete digits --force\n", true,
    delete_options, 1,      delete_layer};
const cli_command cli_layer_move = {"layer move",
                                    "NAME DEVICE",
                                    "Moves a layer to another device while it serves",
                                    "  kasmina layer move digits cuda:0\n  kasmina layer move digits auto\n",
                                    true,
                                    NULL,
                                    0,
                                    move};
const cli_command cli_layer_replicas = {"layer replicas",
                                        "NAME DEVICES",
                                        "Sets the devices that a layer is on besides its own",
                                        "  kasmina layer replicas digits cuda:0,cuda:1\n  kasmina layer "
                                        "replicas digits none\n",
                                        true,
                                        NULL,
                                        0,
                                        replicas};
const cli_command cli_layer_weights = {"layer weights",
                                       "NAME",
                                       "Uploads or downloads a layer's weights",
                                       "  kasmina layer weights digits --put base.safetensors\n  kasmina "
                                       "layer weights digits --get - > copy.safetensors\n",
                                       true,
                                       weights_options,
                                       sizeof weights_options / sizeof *weights_options,
                                       weights};
