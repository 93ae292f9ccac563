/* Every subcommand, in the order in which help lists them. */
#include "cli/commands.h"

#include <string.h>

const cli_command *const cli_commands[] = {
    &cli_serve,
    &cli_layer_create,
    &cli_layer_list,
    &cli_layer_show,
    &cli_layer_move,
    &cli_layer_replicas,
    &cli_layer_delete,
    &cli_layer_weights,
    &cli_seed_show,
    &cli_seed_load,
    &cli_seed_unload,
    &cli_seed_alpha,
    &cli_seed_reset,
    &cli_seed_fossilize,
    &cli_kernel_list,
    &cli_kernel_inspect,
    &cli_kernel_validate,
    &cli_kernel_put,
    &cli_kernel_preload,
    &cli_kernel_evict,
    &cli_kernel_pin,
    &cli_kernel_unpin,
    &cli_epoch,
    &cli_forward,
    &cli_stats,
    &cli_events,
    &cli_health,
    &cli_errors,
    &cli_operation_list,
    &cli_operation_show,
    &cli_operation_cancel,
    &cli_quarantine_list,
    &cli_quarantine_lift,
    &cli_devices,
    &cli_bench,
    &cli_completion,
    &cli_manual,
    &cli_version,
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

bool cli_is_in_group(const cli_command *command, const char *group, size_t length)
{
    return strncmp(command->name, group, length) == 0 && command->name[length] == ' ';
}
