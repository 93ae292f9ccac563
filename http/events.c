/* GET /v1/events: what happens in the engine, as server-sent events. */
#include <stdlib.h>
#include <string.h>

#include "http/handlers.h"
#include "http/problems.h"
#include "http/shapes.h"
#include "http/streams.h"

enum { ID_DIGITS = 19 };

/* ---- the forms ---- */

static void write_transition(kas_json *json, const kas_event *event)
{
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "layer", event->layer);
    kas_json_int(json, "seed", event->seed);
    kas_json_text(json, "from", kas_lifecycle_name(event->from));
    kas_json_text(json, "to", kas_lifecycle_name(event->to));
    kas_json_text_or_null(json, "artifact_id", event->artifact_id);
    kas_json_text_or_null(json, "reason", event->reason);
    kas_json_close(json, '}');
}

/* As it is now, not as it was: a client wants to know where it stands. */
static void write_operation(kas_json *json, kas_engine *engine, const kas_event *event)
{
    kas_operation_info operation = {.size = sizeof operation};
    kas_status status = kas_engine_operation(engine, event->operation, &operation);
    if (!status) {
        kas_http_write_operation(json, NULL, &operation);
        return;
    }
    kas_status_free(status); /* forgotten since: its number is all there is to tell */
    kas_json_open(json, NULL, '{');
    kas_http_write_operation_id(json, "id", event->operation);
    kas_json_close(json, '}');
}

static void write_error(kas_json *json, const kas_event *event)
{
    kas_error_record error = {
        .size = sizeof error, .at_ns = event->at_ns, .type = event->error_type, .seed = event->seed};
    memcpy(error.component, event->component, sizeof error.component);
    memcpy(error.layer, event->layer, sizeof error.layer);
    memcpy(error.artifact_id, event->artifact_id, sizeof error.artifact_id);
    memcpy(error.detail, event->detail, sizeof error.detail);
    kas_http_write_error(json, NULL, &error);
}

static void write_alert(kas_json *json, const char *detail)
{
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "severity", "critical");
    kas_json_text(json, "detail", detail);
    kas_json_close(json, '}');
}

static void write_layer(kas_json *json, kas_engine *engine, const kas_event *event)
{
    kas_layer_info layer = {.size = sizeof layer};
    kas_status status = kas_engine_layer(engine, event->layer, &layer);
    const char *state = status ? "deleted" : layer.serving ? "ready" : "unloaded";
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "layer", event->layer);
    kas_json_text(json, "state", state);
    kas_json_text_or_null(json, "device", status ? "" : layer.device);
    if (status)
        kas_json_null(json, "generation");
    else
        kas_json_uint(json, "generation", layer.generation);
    kas_json_close(json, '}');
    kas_status_free(status);
}

static const char *write_data(kas_json *json, kas_engine *engine, const kas_event *event)
{
    switch (event->kind) {
    case KAS_EVENT_TRANSITION:
        write_transition(json, event);
        return "seed.transition";
    case KAS_EVENT_OPERATION:
        write_operation(json, engine, event);
        return "operation.update";
    case KAS_EVENT_ERROR:
        write_error(json, event);
        return "error";
    case KAS_EVENT_ALERT:
        write_alert(json, event->detail);
        return "alert";
    case KAS_EVENT_LAYER_UPDATE:
        break;
    }
    write_layer(json, engine, event);
    return "layer.update";
}

static void append(kas_text *text, const char *name, uint64_t id, const kas_json *json)
{
    kas_text_printf(text, "event: %s\n", name);
    if (id) kas_text_printf(text, "id: %llu\n", (unsigned long long)id);
    kas_text_printf(text, "data: ");
    kas_text_append(text, json->text.bytes, json->text.length);
    kas_text_printf(text, "\n\n");
    text->failed |= json->text.failed;
}

void kas_http_write_event(kas_text *text, kas_engine *engine, const kas_event *event)
{
    kas_json json;
    kas_json_init(&json);
    append(text, write_data(&json, engine, event), event->sequence, &json);
    kas_json_finish(&json);
}

void kas_http_write_missed(kas_text *text, uint64_t missed)
{
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "severity", "warning");
    kas_json_text(&json, "detail", "older events are gone: read what you need anew");
    kas_json_uint(&json, "missed", missed);
    kas_json_close(&json, '}');
    append(text, "alert", 0, &json);
    kas_json_finish(&json);
}

/* ---- the request ---- */

/* After Last-Event-ID; without one, from now on. An id that is still to come is of an engine before this one:
 * all that there is. */
void kas_http_get_events(kas_http_request *request)
{
    uint64_t last = kas_engine_last_event(request->engine), after = last;
    const char *id = kas_http_header(request, KAS_FIELD_LAST_EVENT_ID);
    if (id) {
        size_t length = strlen(id);
        if (length == 0 || length > ID_DIGITS || strspn(id, "0123456789") != length) {
            kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                            "Last-Event-ID is '%.40s'; the ids of events are numbers", id);
            return;
        }
        after = strtoull(id, NULL, 10);
        if (after > last) after = 0;
    }
    kas_http_respond_events(request, after);
}
