/* The subcommands; each is defined in the file of what it is about. */
#ifndef KAS_CLI_COMMANDS_H
#define KAS_CLI_COMMANDS_H

#include "cli/command.h"

extern const cli_command cli_serve;
extern const cli_command cli_layer_create, cli_layer_list, cli_layer_show, cli_layer_move, cli_layer_replicas,
    cli_layer_delete, cli_layer_weights;
extern const cli_command cli_seed_show, cli_seed_load, cli_seed_unload, cli_seed_alpha, cli_seed_reset,
    cli_seed_fossilize;
extern const cli_command cli_kernel_list, cli_kernel_inspect, cli_kernel_validate, cli_kernel_put,
    cli_kernel_preload, cli_kernel_evict, cli_kernel_pin, cli_kernel_unpin;
extern const cli_command cli_epoch, cli_forward, cli_stats, cli_events;
extern const cli_command cli_health, cli_errors, cli_operation_list, cli_operation_show, cli_operation_cancel,
    cli_quarantine_list, cli_quarantine_lift;
extern const cli_command cli_devices, cli_bench;
extern const cli_command cli_completion, cli_manual, cli_version;

#endif
