/* The handlers of all routes: one file a resource. Each is a step (request.h). */
#ifndef KAS_HTTP_HANDLERS_H
#define KAS_HTTP_HANDLERS_H

#include "http/json_write.h"
#include "http/request.h"

/* root.c */
void kas_http_get_root(kas_http_request *request);
/* devices.c */
void kas_http_list_devices(kas_http_request *request);
void kas_http_get_device(kas_http_request *request);
/* layers.c */
void kas_http_list_layers(kas_http_request *request);
void kas_http_create_layer(kas_http_request *request);
void kas_http_get_layer(kas_http_request *request);
void kas_http_patch_layer(kas_http_request *request);
void kas_http_delete_layer(kas_http_request *request);
/* Answers with the layer in the path, or the one that was created. */
void kas_http_respond_layer(kas_http_request *request, unsigned status, const char *name);
/* weights.c */
void kas_http_put_weights(kas_http_request *request);
void kas_http_get_weights(kas_http_request *request);
/* seeds.c */
void kas_http_list_seeds(kas_http_request *request);
void kas_http_get_seed(kas_http_request *request);
void kas_http_unload_seed(kas_http_request *request);
void kas_http_reset_seed(kas_http_request *request);
void kas_http_fossilize_seed(kas_http_request *request);
void kas_http_put_alpha(kas_http_request *request);
void kas_http_drop_staged(kas_http_request *request);
/* The member `ramp`; NULL: there is none, and *out stays. False: refused. */
bool kas_http_read_ramp(kas_http_request *request, const json_t *object, kas_ramp *out);
/* load.c */
void kas_http_load_seed(kas_http_request *request);
/* operations.c */
void kas_http_list_operations(kas_http_request *request);
void kas_http_get_operation(kas_http_request *request);
void kas_http_cancel_operation(kas_http_request *request);
/* What became of an operation that was waited for, however the wait ended: takes request->status. False:
 * refused. */
bool kas_http_read_operation(kas_http_request *request, uint64_t operation, kas_operation_info *out);
void kas_http_respond_operation(kas_http_request *request, unsigned status, uint64_t operation);
/* kernels.c */
void kas_http_list_kernels(kas_http_request *request);
void kas_http_get_kernel(kas_http_request *request);
void kas_http_put_kernel(kas_http_request *request);
void kas_http_delete_kernel(kas_http_request *request);
void kas_http_pin_kernel(kas_http_request *request);
void kas_http_unpin_kernel(kas_http_request *request);
void kas_http_compatible_kernels(kas_http_request *request);
/* preload.c, validate.c */
void kas_http_preload(kas_http_request *request);
void kas_http_validate(kas_http_request *request);
/* quarantine.c */
void kas_http_list_quarantine(kas_http_request *request);
void kas_http_lift_quarantine(kas_http_request *request);
/* forward.c */
void kas_http_post_forward(kas_http_request *request);
/* pass_headers.c: headers that tell what a pass took and what it used. Of an inference only what says
 * something: every header costs as much as reading a small request does, on both sides. */
void kas_http_add_pass(kas_http_request *request, const kas_forward_result *result);
void kas_http_add_inference(kas_http_request *request, const kas_forward_result *result);
/* infer.c */
void kas_http_infer(kas_http_request *request);
/* models.c */
void kas_http_get_model(kas_http_request *request);
void kas_http_get_model_ready(kas_http_request *request);
void kas_http_get_model_config(kas_http_request *request);
void kas_http_model_stats(kas_http_request *request);
void kas_http_models_stats(kas_http_request *request);
typedef void (*kas_http_write_layer_fn)(kas_json *json, kas_engine *engine, const kas_layer_info *layer);
/* Writes every layer; marks the text as failed when memory is out. */
void kas_http_each_layer(kas_http_request *request, kas_json *json, kas_http_write_layer_fn write);
/* repository.c */
void kas_http_repository_index(kas_http_request *request);
void kas_http_repository_load(kas_http_request *request);
void kas_http_repository_unload(kas_http_request *request);
/* protocol.c */
void kas_http_get_protocol(kas_http_request *request);
void kas_http_get_protocol_live(kas_http_request *request);
void kas_http_get_protocol_ready(kas_http_request *request);
void kas_http_not_enabled(kas_http_request *request);
/* epoch.c */
void kas_http_get_epoch(kas_http_request *request);
void kas_http_advance_epoch(kas_http_request *request);
/* stats.c */
void kas_http_layer_stats(kas_http_request *request);
void kas_http_write_cache_stats(kas_json *json, const char *name, kas_engine *engine);
/* totals.c */
void kas_http_total_stats(kas_http_request *request);
/* history.c */
void kas_http_list_errors(kas_http_request *request);
void kas_http_get_recovery(kas_http_request *request);
void kas_http_list_breakers(kas_http_request *request);
void kas_http_write_recovery(kas_json *json, const char *name, kas_engine *engine);
void kas_http_write_error(kas_json *json, const char *name, const kas_error_record *error);
/* events.c */
void kas_http_get_events(kas_http_request *request);
/* openapi.c */
void kas_http_get_openapi(kas_http_request *request);
/* health.c */
void kas_http_get_health(kas_http_request *request);
void kas_http_get_live(kas_http_request *request);
void kas_http_get_ready(kas_http_request *request);

#endif
