/* kasmina kernel … */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/operation.h"
#include "cli/pages.h"
#include "cli/remote.h"
#include "cli/table.h"

static const cli_column columns[] = {
    {"ARTIFACT", "artifact_id", false},  {"FORMAT", "format", false}, {"STATE", "state", false},
    {"TIERS", "tiers", false},           {"PINNED", "pinned", false}, {"BYTES", "size_bytes", true},
    {"ON DEVICE", "device_bytes", true}, {"HITS", "hits", true},
};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns };

static int send_compatible(const cli_arguments *arguments, const char *layer, json_t **kernels)
{
    json_t *answer;
    int result =
        cli_send_json(arguments, "GET", cli_path("/v1/layers/%s/compatible-kernels", layer), NULL, &answer);
    if (result != CLI_OK) return result;
    *kernels = json_incref(json_object_get(answer, "kernels"));
    json_decref(answer);
    return result;
}

static int list(const cli_arguments *arguments)
{
    const char *layer = cli_value(arguments, "layer");
    json_t *kernels;
    int result = layer ? send_compatible(arguments, layer, &kernels)
                       : cli_list(arguments, "/v1/kernels", "kernels", &kernels);
    if (result != CLI_OK) return result;
    if (!arguments->json) result = cli_print_table(kernels, columns, COLUMN_COUNT);
    json_decref(kernels);
    return result;
}

static int print_answer(const cli_arguments *arguments, json_t *answer)
{
    int result = arguments->json ? CLI_OK : cli_print_object(answer);
    json_decref(answer);
    return result;
}

static int validate_file(const cli_arguments *arguments, const char *layer, const char *file, json_t **answer)
{
    unsigned char *bytes;
    size_t size;
    if (!cli_read_file(file, &bytes, &size)) return CLI_FAILED;
    cli_body body = {.bytes = bytes, .size = size, .type = "application/octet-stream"};
    cli_answer got;
    int result = cli_send(arguments, "POST",
                          layer ? cli_path("/v1/kernels/validate?layer=%s", layer) : "/v1/kernels/validate",
                          &body, &got);
    free(bytes);
    if (result != CLI_OK) return result;
    result = cli_take_json(arguments, &got, answer);
    cli_answer_free(&got);
    return result;
}

static int validate(const cli_arguments *arguments)
{
    const char *layer = cli_value(arguments, "layer"), *file = cli_value(arguments, "file");
    const char *artifact = arguments->operands[0];
    if (!file == !artifact)
        return cli_usage_error(arguments->command, "either an artifact id or --file FILE");
    json_t *answer;
    int result;
    if (file) {
        result = validate_file(arguments, layer, file, &answer);
    } else {
        json_t *request = json_pack("{s:s, s:s*}", "artifact_id", artifact, "layer", layer);
        result = cli_send_json(arguments, "POST", "/v1/kernels/validate", request, &answer);
    }
    if (result != CLI_OK) return result;
    bool valid = json_is_true(json_object_get(answer, "valid")) &&
                 !json_is_false(json_object_get(answer, "compatible"));
    result = print_answer(arguments, answer);
    return result == CLI_OK && !valid ? CLI_FAILED : result;
}

static int put(const cli_arguments *arguments)
{
    unsigned char *bytes;
    size_t size;
    if (!cli_read_file(arguments->operands[1], &bytes, &size)) return CLI_FAILED;
    cli_body body = {.bytes = bytes, .size = size, .type = "application/octet-stream"};
    cli_answer got;
    int result = cli_send(arguments, "PUT", cli_path("/v1/kernels/%s", arguments->operands[0]), &body, &got);
    free(bytes);
    if (result != CLI_OK) return result;
    result = cli_take_json(arguments, &got, NULL);
    if (result == CLI_OK && !arguments->json)
        printf("%s: %s\n", arguments->operands[0], got.status == 201 ? "kept" : "known already");
    cli_answer_free(&got);
    return result;
}

static int preload(const cli_arguments *arguments)
{
    json_t *request = json_pack("{s:[s]}", "artifact_ids", arguments->operands[0]);
    const cli_arguments quiet = cli_quiet(arguments);
    json_t *answer;
    int result = cli_send_json(&quiet, "POST", "/v1/kernels/preload", request, &answer);
    if (result != CLI_OK) return result;
    json_t *operation = json_array_get(json_object_get(answer, "operations"), 0);
    result = operation ? cli_follow_operation(arguments, operation)
                       : cli_failure("the server started no operation");
    json_decref(answer);
    return result;
}

static int act(const cli_arguments *arguments, const char *method, const char *path)
{
    return cli_send_json(arguments, method, path, NULL, NULL);
}

static int evict(const cli_arguments *arguments)
{
    return act(arguments, "DELETE", cli_path("/v1/kernels/%s", arguments->operands[0]));
}

static int pin(const cli_arguments *arguments)
{
    return act(arguments, "POST", cli_path("/v1/kernels/%s/pin", arguments->operands[0]));
}

static int unpin(const cli_arguments *arguments)
{
    return act(arguments, "POST", cli_path("/v1/kernels/%s/unpin", arguments->operands[0]));
}

static const cli_option list_options[] = {{"layer", "NAME", NULL, "only what fits this layer, best first"}};
static const cli_option validate_options[] = {
    {"layer", "NAME", NULL, "also whether this layer can take it"},
    {"file", "FILE", NULL, "a file of this machine instead of an artifact id"},
};

const cli_command cli_kernel_list = {"kernel list",
                                     "",
                                     "Lists the kernels that the server knows",
                                     "  kasmina kernel list --layer digits\n",
                                     true,
                                     list_options,
                                     1,
                                     list};
const cli_command cli_kernel_validate = {
    "kernel validate",
    "[ARTIFACT]",
    "Decodes and checks a kernel without keeping it",
    "  kasmina kernel validate digits-good --layer digits\n  kasmina kernel validate --file good.onnx\n",
    true,
    validate_options,
    2,
    validate};
const cli_command cli_kernel_put = {"kernel put",
                                    "ARTIFACT FILE",
                                    "Uploads a kernel",
                                    "  kasmina kernel put digits-good good.onnx\n",
                                    true,
                                    NULL,
                                    0,
                                    put};
const cli_command cli_kernel_preload = {"kernel preload",
                                        "ARTIFACT",
                                        "Brings a kernel to the device before it is needed",
                                        "  kasmina kernel preload digits-good\n",
                                        true,
                                        NULL,
                                        0,
                                        preload};
const cli_command cli_kernel_evict = {"kernel evict",
                                      "ARTIFACT",
                                      "Removes a kernel from every tier",
                                      "  kasmina kernel evict digits-good\n",
                                      true,
                                      NULL,
                                      0,
                                      evict};
const cli_command cli_kernel_pin = {"kernel pin",
                                    "ARTIFACT",
                                    "Keeps a kernel from being evicted",
                                    "  kasmina kernel pin digits-good\n",
                                    true,
                                    NULL,
                                    0,
                                    pin};
const cli_command cli_kernel_unpin = {"kernel unpin",
                                      "ARTIFACT",
                                      "Lets a kernel be evicted again",
                                      "  kasmina kernel unpin digits-good\n",
                                      true,
                                      NULL,
                                      0,
                                      unpin};
