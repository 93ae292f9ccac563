/* What callers ask of the engine, and what they are answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/engine/world.h"

/* ---- what there is ---- */

es_kernel es_kernel_of(int content)
{
    static const es_kernel kernels[ES_GOOD_CONTENTS] = {
        {.a = 0.5, .b = 1}, {.a = 2}, {.a = -1, .b = 3}, {.is_sqrt = true}};
    return kernels[content];
}

void es_weights_of(int variant, float *scale, float *shift)
{
    *scale = 1 + 0.5f * (float)variant;
    *shift = (float)variant - 1;
}

static void make_weights(es *w, int variant)
{
    float values[ES_FEATURES * ES_FEATURES + ES_FEATURES] = {0}, scale, shift;
    es_weights_of(variant, &scale, &shift);
    for (int i = 0; i < ES_FEATURES; ++i) {
        values[i * ES_FEATURES + i] = scale;
        values[ES_FEATURES * ES_FEATURES + i] = shift;
    }
    kas_sha256 sha256 = kas_sha256_of(values, sizeof values);
    kas_sha256_hex(&sha256, w->weights_sha256[variant]);
}

void es_make_contents(es *w)
{
    for (int i = 0; i < 3; ++i) {
        es_kernel kernel = es_kernel_of(i);
        w->contents[i] = onnx_product(ES_FEATURES, (float)kernel.a, (float)kernel.b);
    }
    w->contents[3] = onnx_sqrt(ES_FEATURES);
    w->contents[4] = onnx_sum_of_rows(ES_FEATURES);
    w->contents[5] = onnx_unknown_operator(ES_FEATURES);
    w->contents[6] = onnx_product(ES_FEATURES / 2, 1, 0); /* of another shape */
    w->contents[7] = onnx_product(ES_FEATURES, 3, 0);
    w->contents[7].size /= 2; /* cut */
    for (int i = 0; i < ES_CONTENTS; ++i) {
        char path[64];
        w->checksums[i] = kas_sha256_of(w->contents[i].bytes, w->contents[i].size);
        snprintf(path, sizeof path, "/registry/%s.onnx", es_id(i));
        es_disk_put(w, path, w->contents[i].bytes, w->contents[i].size);
    }
    for (int i = 0; i < ES_WEIGHTS; ++i)
        make_weights(w, i);
    for (int i = 0; i < ES_UPLOAD_IDS; ++i)
        w->uploaded[i] = -1;
}

/* ---- answers ---- */

uint32_t es_waiting(const es *w)
{
    uint32_t count = 0;
    for (int i = 0; i < ES_CALLS; ++i)
        count += w->calls[i].waits;
    return count;
}

static void note_operation_end(void *user, kas_status status)
{
    es *w = user;
    ES_REQUIRE(w, w->watchers > 0, "somebody who watched an operation is told twice");
    --w->watchers;
    kas_status_free(status);
}

static bool changes_upload(const es_call *call)
{
    return call->id >= ES_REGISTRY_IDS &&
           (call->kind == KAS_REQUEST_PUT_KERNEL || call->kind == KAS_REQUEST_EVICT_KERNEL);
}

/* Another request works on the same id: which of them was first is not known. */
static bool is_disputed(const es *w, const es_call *call)
{
    for (int i = 0; i < ES_CALLS; ++i)
        if (w->calls[i].waits && &w->calls[i] != call && w->calls[i].id == call->id &&
            changes_upload(&w->calls[i]))
            return true;
    return false;
}

static bool is_bound(const es *w, int upload)
{
    kas_sha256 checksum;
    return kas_state_binding(w->engine->state, es_id(ES_REGISTRY_IDS + upload), &checksum);
}

void es_note_bound(es *w)
{
    for (int i = 0; i < ES_UPLOAD_IDS; ++i)
        w->bound[i] = is_bound(w, i);
}

/* An id whose upload failed is as if it had never been asked for: other bytes may come. */
static void check_unbound(es *w, const es_call *call, kas_code code)
{
    bool *bound = &w->bound[call->id - ES_REGISTRY_IDS];
    if (code == KAS_OK)
        *bound = true;
    else if (!is_disputed(w, call))
        ES_REQUIRE(w, *bound || !is_bound(w, call->id - ES_REGISTRY_IDS),
                   "the upload of %s failed and leaves it bound", es_id(call->id));
}

/* An upload that was acknowledged stays until it is evicted. */
static void note_upload(es *w, const es_call *call, kas_code code)
{
    int *kept = &w->uploaded[call->id - ES_REGISTRY_IDS];
    if (is_disputed(w, call))
        *kept = -2;
    else if (call->kind == KAS_REQUEST_EVICT_KERNEL)
        *kept = code == KAS_OK ? -1 : -2;
    else if (code == KAS_OK)
        *kept = call->content;
    if (code == KAS_OK && call->kind == KAS_REQUEST_PUT_KERNEL)
        ES_REQUIRE(w, call->content < ES_GOOD_CONTENTS || call->content == 6,
                   "an artifact is accepted that nobody can load: content %d", call->content);
}

/* Every layer is of one shape, so content 6 is valid and fits none. */
static void check_validation(es *w, const es_call *call)
{
    const kas_validation *told = &call->validation;
    bool fits = call->content < ES_GOOD_CONTENTS;
    ES_REQUIRE(w, told->valid == (fits || call->content == 6), "content %d is told to be %s", call->content,
               told->valid ? "valid" : "invalid");
    ES_REQUIRE(w, !told->valid || (told->has_compatible && told->compatible == fits),
               "content %d: compatible", call->content);
    ES_REQUIRE(w, (told->valid && told->compatible) == (told->reason_count == 0), "content %d: reasons",
               call->content);
}

static void note_reply(void *user, kas_status status, const kas_reply *reply)
{
    es_call *call = user;
    es *w = call->world;
    kas_code code = kas_status_code(status);
    ES_REQUIRE(w, call->waits, "a request is answered twice");
    es_trace(w, "   request %d is answered: %s", (int)call->kind, status ? kas_status_message(status) : "ok");
    es_note(w, &code, sizeof code);
    ES_REQUIRE(w, code != KAS_INTERNAL, "a request is answered with a defect: %s",
               kas_status_message(status));
    bool full = kas_status_blame(status) == KAS_BLAME_DEVICE; /* the other device */
    ES_REQUIRE(w, code != KAS_OUT_OF_MEMORY || w->memory_percent || full, "memory is not out: %s",
               kas_status_message(status));
    if (!status && reply->operation > w->last_operation) w->last_operation = reply->operation;
    if (!status && call->uid && w->layers[call->layer].uid == call->uid &&
        reply->generation > w->layers[call->layer].acknowledged)
        w->layers[call->layer].acknowledged = reply->generation;
    if (changes_upload(call)) note_upload(w, call, code);
    if (call->kind == KAS_REQUEST_PUT_KERNEL) check_unbound(w, call, code);
    if (!status && call->kind == KAS_REQUEST_VALIDATE) check_validation(w, call);
    kas_validation_finish(&call->validation);
    free(call->bytes.bytes);
    kas_status_free(status);
    *call = (es_call){0};
}

/* ---- requests ---- */

static kas_request about(es *w, es_call *call, kas_request_kind kind)
{
    call->kind = kind;
    call->layer = (int)es_below(w, ES_LAYERS);
    call->seed = es_below(w, ES_SEEDS);
    call->id = -1;
    return (kas_request){
        .size = sizeof(kas_request), .kind = kind, .layer = es_layer_names[call->layer], .seed = call->seed};
}

static void name_artifact(es *w, es_call *call, kas_request *request, uint32_t good_percent)
{
    bool good = es_chance(w, good_percent);
    call->id = (int)(good ? es_below(w, ES_GOOD_CONTENTS) : es_below(w, ES_IDS));
    request->artifact_id = es_id(call->id);
}

static void wish_alpha(es *w, kas_request *request)
{
    request->has_alpha = true;
    request->alpha = (float)es_below(w, 5) / 4;
    if (es_chance(w, 60)) return;
    request->ramp = (kas_ramp){.unit = es_chance(w, 50) ? KAS_RAMP_MS : KAS_RAMP_PASSES,
                               .length = 1 + es_below(w, 40),
                               .curve = es_chance(w, 50) ? KAS_CURVE_LINEAR : KAS_CURVE_COSINE};
}

static void maybe_stage(es *w, kas_request *request)
{
    if (es_chance(w, 15)) request->at_epoch = kas_engine_epoch(w->engine, NULL) + 1 + es_below(w, 2);
}

static void lend_content(es *w, es_call *call)
{
    call->content = (int)es_below(w, es_chance(w, 70) ? ES_GOOD_CONTENTS : ES_CONTENTS);
    const artifact_bytes *content = &w->contents[call->content];
    call->bytes = (artifact_bytes){.bytes = malloc(content->size), .size = content->size};
    ES_REQUIRE(w, call->bytes.bytes, "the simulation is out of memory");
    memcpy(call->bytes.bytes, content->bytes, content->size);
}

static void put_kernel(es *w, es_call *call, kas_request *request)
{
    lend_content(w, call);
    call->id = ES_REGISTRY_IDS + (int)es_below(w, ES_UPLOAD_IDS);
    request->artifact_id = es_id(call->id);
    request->put_kernel.bytes = call->bytes.bytes;
    request->put_kernel.size_bytes = call->bytes.size;
}

static void set_weights(es *w, es_call *call, kas_request *request)
{
    float scale, shift;
    es_weights_of((int)es_below(w, ES_WEIGHTS), &scale, &shift);
    call->bytes = safetensors_weights(ES_FEATURES, scale, shift, 1);
    request->set_weights.bytes = call->bytes.bytes;
    request->set_weights.size_bytes = call->bytes.size;
    maybe_stage(w, request);
}

static const char *some_device(es *w)
{
    static const char *const devices[] = {"host:0", "remote:0", "auto"};
    return devices[es_below(w, 3)];
}

static void describe_layer(kas_request *request)
{
    request->create_layer.layer_id = -1;
    request->create_layer.input_size = request->create_layer.output_size = ES_FEATURES;
    request->create_layer.num_seeds = ES_SEEDS;
    request->create_layer.bias = true;
}

static kas_request_kind pick(es *w)
{
    static const struct {
        kas_request_kind kind;
        uint32_t weight;
    } mix[] = {{KAS_REQUEST_CREATE_LAYER, 1},
               {KAS_REQUEST_DELETE_LAYER, 1},
               {KAS_REQUEST_SET_WEIGHTS, 8},
               {KAS_REQUEST_SET_SERVING, 2},
               {KAS_REQUEST_MOVE_LAYER, 5},
               {KAS_REQUEST_SET_REPLICAS, 6},
               {KAS_REQUEST_LOAD, 23},
               {KAS_REQUEST_UNLOAD, 4},
               {KAS_REQUEST_RESET, 3},
               {KAS_REQUEST_FOSSILIZE, 3},
               {KAS_REQUEST_SET_ALPHA, 14},
               {KAS_REQUEST_DROP_STAGED, 1},
               {KAS_REQUEST_CANCEL_OPERATION, 2},
               {KAS_REQUEST_ADVANCE_EPOCH, 5},
               {KAS_REQUEST_PRELOAD, 3},
               {KAS_REQUEST_PUT_KERNEL, 8},
               {KAS_REQUEST_EVICT_KERNEL, 4},
               {KAS_REQUEST_VALIDATE, 4},
               {KAS_REQUEST_PIN, 1},
               {KAS_REQUEST_UNPIN, 2}};
    for (int i = 0; i < ES_LAYERS; ++i)
        if (!w->layers[i].uid && es_chance(w, 30)) return KAS_REQUEST_CREATE_LAYER;
    uint32_t at = es_below(w, 100);
    size_t i = 0;
    while (at >= mix[i].weight)
        at -= mix[i++].weight;
    return mix[i].kind;
}

/* Rather one that is not there. */
static int pick_name(const es *w, int layer)
{
    for (int i = 0; i < ES_LAYERS; ++i)
        if (!w->layers[i].uid) return i;
    return layer;
}

/* What else there is to ask for is about artifacts. */
static void about_artifact(es *w, es_call *call, kas_request *request)
{
    switch (request->kind) {
    case KAS_REQUEST_PUT_KERNEL:
        put_kernel(w, call, request);
        call->layer = -1;
        break;
    case KAS_REQUEST_VALIDATE:
        lend_content(w, call);
        request->validate.bytes = call->bytes.bytes;
        request->validate.size_bytes = call->bytes.size;
        request->validate.result = &call->validation;
        break;
    case KAS_REQUEST_PRELOAD:
        request->preload.device = some_device(w);
        name_artifact(w, call, request, 30);
        call->layer = -1;
        break;
    case KAS_REQUEST_EVICT_KERNEL:
    case KAS_REQUEST_PIN:
    case KAS_REQUEST_UNPIN:
        name_artifact(w, call, request, 30);
        call->layer = -1;
        break;
    default:
        break;
    }
}

static kas_request make(es *w, es_call *call)
{
    kas_request request = about(w, call, pick(w));
    switch (request.kind) {
    case KAS_REQUEST_CREATE_LAYER:
        call->layer = pick_name(w, call->layer);
        request.layer = es_layer_names[call->layer];
        describe_layer(&request);
        request.create_layer.device = some_device(w);
        break;
    case KAS_REQUEST_MOVE_LAYER:
        request.move_layer.device = some_device(w);
        break;
    case KAS_REQUEST_SET_REPLICAS:
        request.set_replicas.replicas.count = es_chance(w, 75);
        request.set_replicas.replicas.names[0] = es_chance(w, 60) ? "remote:0" : "host:0";
        break;
    case KAS_REQUEST_DELETE_LAYER:
        request.delete_layer.force = es_chance(w, 70);
        break;
    case KAS_REQUEST_SET_WEIGHTS:
        set_weights(w, call, &request);
        break;
    case KAS_REQUEST_SET_SERVING:
        request.set_serving.serving = es_chance(w, 80);
        break;
    case KAS_REQUEST_LOAD:
        name_artifact(w, call, &request, 60);
        if (es_chance(w, 80)) wish_alpha(w, &request);
        maybe_stage(w, &request);
        break;
    case KAS_REQUEST_SET_ALPHA:
        wish_alpha(w, &request);
        maybe_stage(w, &request);
        break;
    case KAS_REQUEST_UNLOAD:
    case KAS_REQUEST_RESET:
    case KAS_REQUEST_FOSSILIZE:
        maybe_stage(w, &request);
        break;
    case KAS_REQUEST_CANCEL_OPERATION:
        request.cancel.operation = w->last_operation ? w->last_operation : 1;
        break;
    case KAS_REQUEST_ADVANCE_EPOCH:
        request.advance.epoch = kas_engine_epoch(w->engine, NULL) + 1 + es_below(w, 2);
        request.advance.skip_unready = es_chance(w, 60);
        call->layer = -1;
        break;
    default:
        about_artifact(w, call, &request);
    }
    return request;
}

static void submit(es *w, es_call *call, const kas_request *request)
{
    call->world = w;
    call->waits = true;
    call->validation.size = sizeof call->validation;
    call->uid = call->layer < 0 ? 0 : w->layers[call->layer].uid;
    es_trace(w, "request %d: layer %s seed %u artifact %s alpha %g at_epoch %u", (int)request->kind,
             request->layer, request->seed, request->artifact_id ? request->artifact_id : "-",
             (double)request->alpha, request->at_epoch);
    bool keeps = changes_upload(call);
    int before = keeps ? w->uploaded[call->id - ES_REGISTRY_IDS] : -1;
    if (keeps && call->kind == KAS_REQUEST_EVICT_KERNEL) w->uploaded[call->id - ES_REGISTRY_IDS] = -2;
    if (keeps && before == -1) w->uploaded[call->id - ES_REGISTRY_IDS] = -2;
    es_memory_may_fail(w);
    kas_status status = kas_engine_submit(w->engine, request, note_reply, call);
    es_memory_is_fine();
    if (!status) return;
    es_trace(w, "   refused at once: %s", kas_status_message(status));
    if (keeps) w->uploaded[call->id - ES_REGISTRY_IDS] = before;
    kas_status_free(status);
    free(call->bytes.bytes);
    *call = (es_call){0};
}

static es_call *free_call(es *w)
{
    for (int i = 0; i < ES_CALLS; ++i)
        if (!w->calls[i].waits) return &w->calls[i];
    return NULL;
}

static void watch(es *w)
{
    int64_t deadline_ns = es_chance(w, 30) ? w->now_ns + 50 * KAS_NS_PER_MS : 0;
    ++w->watchers;
    kas_status status =
        kas_engine_watch_operation(w->engine, w->last_operation, deadline_ns, note_operation_end, w);
    if (status) --w->watchers;
    kas_status_free(status);
}

void es_ask(es *w)
{
    if (w->last_operation && es_chance(w, 10)) watch(w);
    es_call *call = free_call(w);
    if (!call) return;
    kas_request request = make(w, call);
    submit(w, call, &request);
}

void es_ask_for_layers(es *w)
{
    for (int i = 0; i < ES_LAYERS; ++i) {
        es_call *call = free_call(w);
        kas_request request = about(w, call, KAS_REQUEST_CREATE_LAYER);
        call->layer = i;
        request.layer = es_layer_names[i];
        describe_layer(&request);
        submit(w, call, &request);
    }
}

bool es_ask_to_go(es *w)
{
    for (int i = 0; i < ES_LAYERS; ++i) {
        if (!w->layers[i].uid) continue;
        es_call *call = free_call(w);
        kas_request request = about(w, call, KAS_REQUEST_DELETE_LAYER);
        call->layer = i;
        request.layer = es_layer_names[i];
        request.delete_layer.force = true;
        submit(w, call, &request);
        return true;
    }
    for (int kind = 0; kind < 2; ++kind)
        for (int i = 0; i < ES_IDS; ++i) {
            es_call *call = free_call(w);
            kas_request request = about(w, call, kind ? KAS_REQUEST_EVICT_KERNEL : KAS_REQUEST_UNPIN);
            call->layer = -1;
            call->id = i;
            request.artifact_id = es_id(i);
            submit(w, call, &request);
        }
    return false;
}
