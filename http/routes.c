/* The table of routes, in sections by what paths begin with. Where two patterns match one path the earlier
 * goes first, and what is asked for most stands first. */
#include "http/handlers.h"
#include "http/problems.h"
#include "http/router.h"

enum {
    GET = KAS_HTTP_GET,
    POST = KAS_HTTP_POST,
    PUT = KAS_HTTP_PUT,
    PATCH = KAS_HTTP_PATCH,
    DELETE = KAS_HTTP_DELETE,

    LAYER = KAS_RESOURCE_LAYER,
    SEED = KAS_RESOURCE_SEED,
    OPERATION = KAS_RESOURCE_OPERATION,
    KERNEL = KAS_RESOURCE_KERNEL,
    MODEL = KAS_RESOURCE_MODEL,

    INFER = KAS_ROLE_INFER,
    OPERATE = KAS_ROLE_OPERATE,
    ADMIN = KAS_ROLE_ADMIN,

    NONE = KAS_MEDIA_NONE,
    JSON = KAS_MEDIA_JSON,
    OCTETS = KAS_MEDIA_OCTETS,
    BOTH = JSON | OCTETS,
    PAGE = KAS_MEDIA_HTML | KAS_MEDIA_TEXT,
};

/* clang-format off */
static const kas_http_route layers[] = {
    {POST,   "/v1/layers/{}/forward", kas_http_post_forward, .resource = LAYER, .accepts = BOTH, .produces = BOTH, .tensor = true, .limit = KAS_LIMIT_BODY, .role = INFER},
    {GET,    "/v1/layers/{}", kas_http_get_layer, .resource = LAYER, .produces = JSON},
    {PATCH,  "/v1/layers/{}", kas_http_patch_layer, .resource = LAYER, .accepts = JSON, .produces = JSON, .role = ADMIN},
    {DELETE, "/v1/layers/{}", kas_http_delete_layer, .resource = LAYER, .produces = NONE, .role = ADMIN},
    {GET,    "/v1/layers", kas_http_list_layers, .produces = JSON},
    {POST,   "/v1/layers", kas_http_create_layer, .accepts = JSON, .produces = JSON, .role = ADMIN},
    {GET,    "/v1/layers/{}/weights", kas_http_get_weights, .resource = LAYER, .produces = OCTETS},
    {PUT,    "/v1/layers/{}/weights", kas_http_put_weights, .resource = LAYER, .accepts = OCTETS, .produces = JSON, .limit = KAS_LIMIT_WEIGHTS, .role = ADMIN},
    {GET,    "/v1/layers/{}/stats", kas_http_layer_stats, .resource = LAYER, .produces = JSON},
    {GET,    "/v1/layers/{}/compatible-kernels", kas_http_compatible_kernels, .resource = LAYER, .produces = JSON},
    {GET,    "/v1/layers/{}/seeds", kas_http_list_seeds, .resource = LAYER, .produces = JSON},
    {GET,    "/v1/layers/{}/seeds/{}", kas_http_get_seed, .resource = SEED, .produces = JSON},
    {POST,   "/v1/layers/{}/seeds/{}/load", kas_http_load_seed, .resource = SEED, .accepts = JSON, .produces = JSON, .role = OPERATE},
    {POST,   "/v1/layers/{}/seeds/{}/unload", kas_http_unload_seed, .resource = SEED, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
    {POST,   "/v1/layers/{}/seeds/{}/reset", kas_http_reset_seed, .resource = SEED, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
    {POST,   "/v1/layers/{}/seeds/{}/fossilize", kas_http_fossilize_seed, .resource = SEED, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
    {PUT,    "/v1/layers/{}/seeds/{}/alpha", kas_http_put_alpha, .resource = SEED, .accepts = JSON, .produces = JSON, .role = OPERATE},
    {DELETE, "/v1/layers/{}/seeds/{}/staged", kas_http_drop_staged, .resource = SEED, .produces = NONE, .role = OPERATE},
};

static const kas_http_route models[] = {
    {POST,   "/v2/models/{}/infer", kas_http_infer, .resource = MODEL, .any_type = true, .accepts = OCTETS, .tensor = true, .limit = KAS_LIMIT_BODY, .role = INFER},
    {POST,   "/v2/models/{}/versions/{}/infer", kas_http_infer, .resource = MODEL, .any_type = true, .accepts = OCTETS, .tensor = true, .limit = KAS_LIMIT_BODY, .role = INFER},
    {GET,    "/v2/models/stats", kas_http_models_stats, .produces = NONE},
    {GET,    "/v2/models/{}", kas_http_get_model, .resource = MODEL},
    {GET,    "/v2/models/{}/versions/{}", kas_http_get_model, .resource = MODEL},
    {GET,    "/v2/models/{}/ready", kas_http_get_model_ready, .resource = MODEL},
    {GET,    "/v2/models/{}/versions/{}/ready", kas_http_get_model_ready, .resource = MODEL},
    {GET,    "/v2/models/{}/config", kas_http_get_model_config, .resource = MODEL},
    {GET,    "/v2/models/{}/versions/{}/config", kas_http_get_model_config, .resource = MODEL},
    {GET,    "/v2/models/{}/stats", kas_http_model_stats, .resource = MODEL},
    {GET,    "/v2/models/{}/versions/{}/stats", kas_http_model_stats, .resource = MODEL},
};

static const kas_http_route health[] = {
    {GET,    "/v1/health", kas_http_get_health, .produces = JSON},
    {GET,    "/v1/health/live", kas_http_get_live, .produces = JSON, .open = true},
    {GET,    "/v1/health/ready", kas_http_get_ready, .produces = JSON, .open = true},
};

static const kas_http_route kernels[] = {
    {GET,    "/v1/kernels", kas_http_list_kernels, .produces = JSON},
    {POST,   "/v1/kernels/preload", kas_http_preload, .accepts = JSON, .produces = JSON, .role = OPERATE},
    {POST,   "/v1/kernels/validate", kas_http_validate, .accepts = BOTH, .produces = JSON, .limit = KAS_LIMIT_ARTIFACT, .role = OPERATE},
    {GET,    "/v1/kernels/{}", kas_http_get_kernel, .resource = KERNEL, .produces = JSON},
    {PUT,    "/v1/kernels/{}", kas_http_put_kernel, .resource = KAS_RESOURCE_KERNEL_ID, .accepts = OCTETS, .produces = JSON, .limit = KAS_LIMIT_ARTIFACT, .role = OPERATE},
    {DELETE, "/v1/kernels/{}", kas_http_delete_kernel, .resource = KERNEL, .produces = NONE, .role = OPERATE},
    {POST,   "/v1/kernels/{}/pin", kas_http_pin_kernel, .resource = KERNEL, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
    {POST,   "/v1/kernels/{}/unpin", kas_http_unpin_kernel, .resource = KERNEL, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
};

static const kas_http_route operations[] = {
    {GET,    "/v1/operations", kas_http_list_operations, .produces = JSON},
    {GET,    "/v1/operations/{}", kas_http_get_operation, .resource = OPERATION, .produces = JSON},
    {DELETE, "/v1/operations/{}", kas_http_cancel_operation, .resource = OPERATION, .produces = JSON, .role = OPERATE},
};

static const kas_http_route control[] = {
    {GET,    "/v1/quarantine", kas_http_list_quarantine, .produces = JSON},
    {DELETE, "/v1/quarantine/{}", kas_http_lift_quarantine, .resource = KAS_RESOURCE_CHECKSUM, .produces = NONE, .role = OPERATE},
    {GET,    "/v1/epoch", kas_http_get_epoch, .produces = JSON},
    {POST,   "/v1/epoch", kas_http_advance_epoch, .accepts = JSON, .produces = JSON, .role = OPERATE},
    {GET,    "/v1/stats", kas_http_total_stats, .produces = JSON},
    {GET,    "/v1/errors", kas_http_list_errors, .produces = JSON},
    {GET,    "/v1/recovery", kas_http_get_recovery, .produces = JSON},
    {GET,    "/v1/breakers", kas_http_list_breakers, .produces = JSON},
    {POST,   "/v1/breakers/{}/reset", NULL, .resource = KAS_RESOURCE_BREAKER, .accepts = JSON, .produces = JSON, .body_optional = true, .role = OPERATE},
    {GET,    "/v1/events", kas_http_get_events, .produces = KAS_MEDIA_EVENTS},
    {GET,    "/v1/devices", kas_http_list_devices, .produces = JSON},
    {GET,    "/v1/devices/{}", kas_http_get_device, .resource = KAS_RESOURCE_DEVICE, .produces = JSON},
    {GET,    "/v1", kas_http_get_root, .produces = JSON},
};

static const kas_http_route protocol[] = {
    {GET,    "/v2", kas_http_get_protocol, .produces = NONE},
    {GET,    "/v2/health/live", kas_http_get_protocol_live, .produces = NONE, .open = true},
    {GET,    "/v2/health/ready", kas_http_get_protocol_ready, .produces = NONE, .open = true},
    {POST,   "/v2/repository/index", kas_http_repository_index, .any_type = true, .accepts = JSON, .body_optional = true},
    {POST,   "/v2/repository/models/{}/load", kas_http_repository_load, .any_type = true, .accepts = JSON, .body_optional = true, .role = ADMIN},
    {POST,   "/v2/repository/models/{}/unload", kas_http_repository_unload, .any_type = true, .accepts = JSON, .body_optional = true, .role = ADMIN},
    {GET,    "/v2/systemsharedmemory/status", kas_http_not_enabled, .produces = NONE},
    {GET,    "/v2/cudasharedmemory/status", kas_http_not_enabled, .produces = NONE},
    {GET,    "/v2/trace/setting", kas_http_not_enabled, .produces = NONE},
    {POST,   "/v2/trace/setting", kas_http_not_enabled, .any_type = true, .accepts = JSON, .body_optional = true, .role = ADMIN},
    {GET,    "/v2/logging", kas_http_not_enabled, .produces = NONE},
    {POST,   "/v2/logging", kas_http_not_enabled, .any_type = true, .accepts = JSON, .body_optional = true, .role = ADMIN},
};

static const kas_http_route pages[] = {
    {GET,    "/openapi.yaml", kas_http_get_openapi, .produces = KAS_MEDIA_YAML},
    {GET,    "/problems/{}", kas_http_get_problem, .resource = KAS_RESOURCE_PROBLEM, .produces = PAGE},
};
/* clang-format on */

#define SECTION(prefix, routes)                                                                              \
    {                                                                                                        \
        prefix, sizeof prefix - 1, routes, sizeof routes / sizeof *routes                                    \
    }
const kas_http_section kas_http_sections[] = {
    SECTION("/v1/layers", layers),
    SECTION("/v2/models", models),
    SECTION("/v1/health", health),
    SECTION("/v1/kernels", kernels),
    SECTION("/v1/operations", operations),
    SECTION("/v1", control),
    SECTION("/v2", protocol),
    SECTION("/", pages),
};
const size_t kas_http_section_count = sizeof kas_http_sections / sizeof *kas_http_sections;
