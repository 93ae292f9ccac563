/* /v1/layers/{layer}/seeds and what is done to a seed at once; loading it is in load.c. */
#include <stdio.h>

#include "base/alloc.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"
#include "http/shapes.h"

static void respond_seed(kas_http_request *request, unsigned status)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_layer_info layer = {.size = sizeof layer};
    kas_seed_info seed = {.size = sizeof seed};
    kas_status failure = kas_engine_layer(request->engine, request->params[0], &layer);
    if (!failure) failure = kas_engine_seed(request->engine, request->params[0], request->seed, &seed);
    if (failure) {
        kas_http_fail(request, failure);
        return;
    }
    kas_http_seed_etag(&layer, &seed, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json json;
    kas_json_init(&json);
    kas_http_write_seed(&json, NULL, &seed);
    kas_http_respond_json(request, status, &json);
}

void kas_http_get_seed(kas_http_request *request)
{
    respond_seed(request, 200);
}

static void write_seeds(kas_http_request *request, kas_seed_info *seeds)
{
    kas_layer_info layer = {.size = sizeof layer};
    for (size_t i = 0; i < KAS_MAX_SEEDS; ++i)
        seeds[i].size = sizeof *seeds;
    kas_status failure =
        kas_engine_layer_seeds(request->engine, request->params[0], &layer, seeds, KAS_MAX_SEEDS);
    if (failure) {
        kas_http_fail(request, failure);
        return;
    }
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_http_layer_etag(&layer, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "seeds", '[');
    for (uint32_t i = 0; i < layer.num_seeds; ++i)
        kas_http_write_seed(&json, NULL, &seeds[i]);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_list_seeds(kas_http_request *request)
{
    kas_seed_info *seeds = kas_calloc(KAS_MAX_SEEDS, sizeof *seeds);
    if (!seeds) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    write_seeds(request, seeds);
    kas_free(seeds);
}

/* ---- changes ---- */

static void changed(kas_http_request *request)
{
    if (!kas_http_failed(request)) respond_seed(request, 200);
}

static void staged(kas_http_request *request)
{
    if (!kas_http_failed(request)) respond_seed(request, 202);
}

static void submit(kas_http_request *request, kas_request *change)
{
    change->size = sizeof *change;
    change->layer = request->params[0];
    change->seed = request->seed;
    kas_http_submit(request, change, change->at_epoch ? staged : changed);
}

/* unload, reset and fossilize: nothing but at_epoch. */
static void change_plainly(kas_http_request *request, kas_request_kind kind)
{
    kas_request change = {.kind = kind};
    const kas_json_member members[] = {
        {"at_epoch", KAS_JSON_UINT32, .out = &change.at_epoch, .min = 1, .max = UINT32_MAX},
    };
    if (!kas_http_query_lacks(request, "at_epoch") || !kas_http_if_seed_matches(request, &change.revision))
        return;
    kas_status status = kas_json_read(request->json, "", members, 1);
    if (status)
        kas_http_fail(request, status);
    else
        submit(request, &change);
}

void kas_http_unload_seed(kas_http_request *request)
{
    change_plainly(request, KAS_REQUEST_UNLOAD);
}

void kas_http_reset_seed(kas_http_request *request)
{
    change_plainly(request, KAS_REQUEST_RESET);
}

void kas_http_fossilize_seed(kas_http_request *request)
{
    change_plainly(request, KAS_REQUEST_FOSSILIZE);
}

bool kas_http_read_ramp(kas_http_request *request, const json_t *object, kas_ramp *out)
{
    static const char *const curves[] = {"linear", "cosine", NULL};
    uint32_t curve = KAS_CURVE_LINEAR, over_ms = 0, over_passes = 0;
    bool by_ms = false, by_passes = false;
    const kas_json_member members[] = {
        {"over_ms", KAS_JSON_UINT32, .out = &over_ms, .present = &by_ms, .min = 1, .max = UINT32_MAX},
        {"over_passes", KAS_JSON_UINT32, .out = &over_passes, .present = &by_passes, .min = 1,
         .max = UINT32_MAX},
        {"curve", KAS_JSON_WORD, .out = &curve, .words = curves},
    };
    if (!object) return true;
    kas_status status = kas_json_read(object, "ramp.", members, sizeof members / sizeof *members);
    if (!status && by_ms == by_passes)
        status =
            kas_fail(KAS_INVALID_ARGUMENT, CALLER, "ramp must have exactly one of over_ms and over_passes");
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    *out = (kas_ramp){.unit = by_ms ? KAS_RAMP_MS : KAS_RAMP_PASSES,
                      .length = by_ms ? over_ms : over_passes,
                      .curve = (kas_curve)curve};
    return true;
}

void kas_http_put_alpha(kas_http_request *request)
{
    const json_t *ramp = NULL;
    kas_request change = {.kind = KAS_REQUEST_SET_ALPHA};
    const kas_json_member members[] = {
        {"alpha", KAS_JSON_FLOAT, .required = true, .out = &change.alpha, .present = &change.has_alpha,
         .max = 1},
        {"ramp", KAS_JSON_OBJECT, .out = &ramp},
        {"at_epoch", KAS_JSON_UINT32, .out = &change.at_epoch, .min = 1, .max = UINT32_MAX},
    };
    if (!kas_http_query_lacks(request, "at_epoch") || !kas_http_if_seed_matches(request, &change.revision))
        return;
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    if (kas_http_read_ramp(request, ramp, &change.ramp)) submit(request, &change);
}

static void dropped(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_empty(request, 204);
}

void kas_http_drop_staged(kas_http_request *request)
{
    kas_request change = {.size = sizeof change,
                          .kind = KAS_REQUEST_DROP_STAGED,
                          .layer = request->params[0],
                          .seed = request->seed};
    if (!kas_http_if_seed_matches(request, &change.revision)) return;
    kas_http_submit(request, &change, dropped);
}
