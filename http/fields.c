#include "http/fields.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    size_t length;
} known[KAS_FIELD_COUNT] = {
#define FIELD(name)                                                                                          \
    {                                                                                                        \
        name, sizeof name - 1                                                                                \
    }
    [KAS_FIELD_ACCEPT] = FIELD("Accept"),
    [KAS_FIELD_ACCEPT_ENCODING] = FIELD("Accept-Encoding"),
    [KAS_FIELD_AUTHORIZATION] = FIELD("Authorization"),
    [KAS_FIELD_CONTENT_ENCODING] = FIELD("Content-Encoding"),
    [KAS_FIELD_CONTENT_LENGTH] = FIELD("Content-Length"),
    [KAS_FIELD_CONTENT_TYPE] = FIELD("Content-Type"),
    [KAS_FIELD_EXPECT] = FIELD("Expect"),
    [KAS_FIELD_IDEMPOTENCY_KEY] = FIELD("Idempotency-Key"),
    [KAS_FIELD_IF_MATCH] = FIELD("If-Match"),
    [KAS_FIELD_INFERENCE_HEADER_CONTENT_LENGTH] = FIELD("Inference-Header-Content-Length"),
    [KAS_FIELD_LAST_EVENT_ID] = FIELD("Last-Event-ID"),
    [KAS_FIELD_PREFER] = FIELD("Prefer"),
    [KAS_FIELD_SHAPE] = FIELD("X-Kasmina-Shape"),
    [KAS_FIELD_TRACEPARENT] = FIELD("traceparent"),
    [KAS_FIELD_TRANSFER_ENCODING] = FIELD("Transfer-Encoding"),
    [KAS_FIELD_REQUEST_ID] = FIELD("X-Request-Id"),
#undef FIELD
};

static enum MHD_Result take(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                            const char *value, size_t value_length)
{
    kas_http_fields *fields = context;
    (void)kind;
    (void)value_length;
    for (int field = 0; field < KAS_FIELD_COUNT; ++field) {
        if (known[field].length != name_length || strncasecmp(known[field].name, name, name_length) != 0)
            continue;
        if (!fields->values[field]) fields->values[field] = value;
        fields->lengths += field == KAS_FIELD_CONTENT_LENGTH || field == KAS_FIELD_TRANSFER_ENCODING;
        break;
    }
    return MHD_YES;
}

void kas_http_fields_read(struct MHD_Connection *connection, kas_http_fields *out)
{
    *out = (kas_http_fields){.lengths = 0};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take, out);
}
