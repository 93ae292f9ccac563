/* The engine's structs as the JSON of docs/http-api.md. `name` as in json_write.h; NULL at the top. */
#ifndef KAS_HTTP_SHAPES_H
#define KAS_HTTP_SHAPES_H

#include <kasmina/kasmina.h>

#include "http/json_write.h"

/* seeds: NULL leaves the member out (lists of layers). */
void kas_http_write_layer(kas_json *json, const char *name, const kas_layer_info *layer,
                          const kas_seed_info *seeds);
void kas_http_write_seed(kas_json *json, const char *name, const kas_seed_info *seed);
void kas_http_write_operation(kas_json *json, const char *name, const kas_operation_info *operation);
void kas_http_write_kernel(kas_json *json, const char *name, const kas_cached_kernel *kernel);
void kas_http_write_device(kas_json *json, const char *name, const kas_device_report *device);

static inline bool kas_http_has_finished(const kas_operation_info *operation)
{
    return operation->state >= KAS_OPERATION_SUCCEEDED;
}

enum { KAS_HTTP_OPERATION_SIZE = 32 };
void kas_http_operation_name(uint64_t operation, char out[KAS_HTTP_OPERATION_SIZE]);    /* "op-17" */
void kas_http_write_operation_id(kas_json *json, const char *name, uint64_t operation); /* "op-17"; 0: null */

#endif
