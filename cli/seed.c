/* kasmina seed … */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/layer.h"
#include "cli/operation.h"
#include "cli/remote.h"

static const cli_column columns[] = {
    {"SEED", "index", true},          {"STATE", "lifecycle_state", false},
    {"KERNEL", "artifact_id", false}, {"ALPHA", "alpha_blend", true},
    {"TARGET", "alpha_target", true}, {"HEALTH", "health_accumulator", true},
    {"ERRORS", "error_count", true},  {"LATENCY µs", "exec_latency_us", true},
    {"STAGED", "staged", false},      {"LAST ERROR", "last_error.detail", false},
};

/* "load digits-mlp at 5": what fits into a cell. */
static void tell_staged(json_t *seed)
{
    json_t *staged = json_object_get(seed, "staged");
    if (!json_is_object(staged)) return;
    const char *operation = json_string_value(json_object_get(staged, "operation"));
    const char *artifact = json_string_value(json_object_get(staged, "artifact_id"));
    json_object_set_new(seed, "staged",
                        json_sprintf("%s%s%s at %lld", operation ? operation : "?", artifact ? " " : "",
                                     artifact ? artifact : "",
                                     (long long)json_integer_value(json_object_get(staged, "at_epoch"))));
}

int cli_print_seeds(json_t *seeds)
{
    json_t *seed;
    size_t index;
    json_array_foreach(seeds, index, seed) tell_staged(seed);
    return cli_print_table(seeds, columns, sizeof columns / sizeof *columns);
}

static int print_seed(const cli_arguments *arguments, json_t *seed)
{
    json_t *rows = json_pack("[o]", seed);
    int result = arguments->json ? CLI_OK : cli_print_seeds(rows);
    json_decref(rows);
    return result;
}

static int show(const cli_arguments *arguments)
{
    const char *layer = arguments->operands[0], *seed = arguments->operands[1];
    json_t *answer;
    int result = cli_send_json(arguments, "GET",
                               seed ? cli_path("/v1/layers/%s/seeds/%s", layer, seed)
                                    : cli_path("/v1/layers/%s/seeds", layer),
                               NULL, &answer);
    if (result != CLI_OK) return result;
    if (seed) return print_seed(arguments, answer);
    if (!arguments->json) result = cli_print_seeds(json_object_get(answer, "seeds"));
    json_decref(answer);
    return result;
}

/* Members that several commands share: at_epoch, alpha, ramp. False after a message. */
static bool add_change(const cli_arguments *arguments, json_t *request)
{
    long long epoch = 0, ms = 0, passes = 0;
    double alpha = 0;
    if (!cli_integer(arguments, "at-epoch", 1, UINT32_MAX, &epoch) || !cli_real(arguments, "alpha", &alpha) ||
        !cli_integer(arguments, "over-ms", 1, UINT32_MAX, &ms) ||
        !cli_integer(arguments, "over-passes", 1, UINT32_MAX, &passes))
        return false;
    if (ms && passes) {
        cli_usage_error(arguments->command, "--over-ms or --over-passes, not both");
        return false;
    }
    if (epoch) json_object_set_new(request, "at_epoch", json_integer(epoch));
    if (cli_value(arguments, "alpha")) json_object_set_new(request, "alpha", json_real(alpha));
    if (ms || passes) {
        const char *curve = cli_value(arguments, "curve");
        json_object_set_new(request, "ramp",
                            json_pack("{s:I, s:s}", ms ? "over_ms" : "over_passes",
                                      (json_int_t)(ms ? ms : passes), "curve", curve ? curve : "linear"));
    }
    return true;
}

static int change(const cli_arguments *arguments, const char *method, const char *action, json_t *request)
{
    json_t *seed;
    int result = cli_send_json(
        arguments, method,
        cli_path("/v1/layers/%s/seeds/%s/%s", arguments->operands[0], arguments->operands[1], action),
        request, &seed);
    return result == CLI_OK ? print_seed(arguments, seed) : result;
}

static int load(const cli_arguments *arguments)
{
    json_t *request = json_pack("{s:s}", "artifact_id", arguments->operands[2]);
    if (!add_change(arguments, request)) {
        json_decref(request);
        return CLI_USAGE;
    }
    const bool waits = !cli_switch(arguments, "no-wait");
    const cli_arguments sent = waits ? cli_quiet(arguments) : *arguments;
    json_t *operation;
    int result =
        cli_send_json(&sent, "POST",
                      cli_path("/v1/layers/%s/seeds/%s/load", arguments->operands[0], arguments->operands[1]),
                      request, &operation);
    if (result != CLI_OK) return result;
    if (waits) result = cli_follow_operation(arguments, operation);
    json_decref(operation);
    return result;
}

static int alpha(const cli_arguments *arguments)
{
    char *end;
    double value = strtod(arguments->operands[2], &end);
    if (end == arguments->operands[2] || *end)
        return cli_usage_error(arguments->command, "'%s' is no number", arguments->operands[2]);
    json_t *request = json_pack("{s:f}", "alpha", value);
    if (!request) return cli_usage_error(arguments->command, "alpha is a number from 0 to 1");
    if (add_change(arguments, request)) return change(arguments, "PUT", "alpha", request);
    json_decref(request);
    return CLI_USAGE;
}

static int post_change(const cli_arguments *arguments, const char *action)
{
    json_t *request = json_object();
    if (add_change(arguments, request)) return change(arguments, "POST", action, request);
    json_decref(request);
    return CLI_USAGE;
}

static int unload(const cli_arguments *arguments)
{
    return post_change(arguments, "unload");
}

static int reset(const cli_arguments *arguments)
{
    return post_change(arguments, "reset");
}

static int fossilize(const cli_arguments *arguments)
{
    return post_change(arguments, "fossilize");
}

#define AT_EPOCH                                                                                             \
    {                                                                                                        \
        "at-epoch", "N", NULL, "stage it for this epoch"                                                     \
    }
#define RAMP                                                                                                 \
    {"over-ms", "MS", NULL, "get there over so many milliseconds"},                                          \
        {"over-passes", "N", NULL, "get there over so many forward passes"},                                 \
    {                                                                                                        \
        "curve", "KIND", NULL, "linear or cosine (linear)"                                                   \
    }

static const cli_option load_options[] = {
    {"alpha", "A", NULL, "blend coefficient, 0 to 1 (from the kernel's confidence)"},
    RAMP,
    AT_EPOCH,
    {"no-wait", NULL, NULL, "do not wait until the kernel is live"},
};
static const cli_option alpha_options[] = {RAMP, AT_EPOCH};
static const cli_option epoch_options[] = {AT_EPOCH};

const cli_command cli_seed_show = {
    "seed show", "LAYER [SEED]", "Shows the seeds of a layer", "  kasmina seed show digits\n", true, NULL, 0,
    show};
const cli_command cli_seed_load = {"seed load",
                                   "LAYER SEED ARTIFACT",
                                   "Loads a kernel into a seed",
                                   "  kasmina seed load digits 0 digits-good --alpha 0.5\n  kasmina seed "
                                   "load digits 0 digits-good --alpha 1 --over-ms 500\n",
                                   true,
                                   load_options,
                                   sizeof load_options / sizeof *load_options,
                                   load};
const cli_command cli_seed_unload = {"seed unload",
                                     "LAYER SEED",
                                     "Takes the kernel out of a seed",
                                     "  kasmina seed unload digits 0\n",
                                     true,
                                     epoch_options,
                                     1,
                                     unload};
const cli_command cli_seed_alpha = {"seed alpha",
                                    "LAYER SEED ALPHA",
                                    "Sets a seed's blend coefficient",
                                    "  kasmina seed alpha digits 0 1.0 --over-ms 500 --curve cosine\n",
                                    true,
                                    alpha_options,
                                    sizeof alpha_options / sizeof *alpha_options,
                                    alpha};
const cli_command cli_seed_reset = {"seed reset",
                                    "LAYER SEED",
                                    "Puts a seed back to its initial state",
                                    "  kasmina seed reset digits 0\n",
                                    true,
                                    epoch_options,
                                    1,
                                    reset};
const cli_command cli_seed_fossilize = {"seed fossilize",
                                        "LAYER SEED",
                                        "Makes a seed's kernel part of the layer for good",
                                        "  kasmina seed fossilize digits 0\n",
                                        true,
                                        epoch_options,
                                        1,
                                        fossilize};
