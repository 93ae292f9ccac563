#include "http/revisions.h"

#include <stdio.h>
#include <string.h>

#include "http/problems.h"

void kas_http_layer_etag(const kas_layer_info *layer, char out[KAS_HTTP_ETAG_SIZE])
{
    snprintf(out, KAS_HTTP_ETAG_SIZE, "\"%llx-%llu\"", (unsigned long long)layer->created_at_ns,
             (unsigned long long)layer->revision);
}

void kas_http_seed_etag(const kas_layer_info *layer, const kas_seed_info *seed, char out[KAS_HTTP_ETAG_SIZE])
{
    snprintf(out, KAS_HTTP_ETAG_SIZE, "\"%llx-%u-%llu\"", (unsigned long long)layer->created_at_ns,
             seed->index, (unsigned long long)seed->revision);
}

void kas_http_kernel_etag(const kas_cached_kernel *kernel, char out[KAS_HTTP_ETAG_SIZE])
{
    snprintf(out, KAS_HTTP_ETAG_SIZE, "\"%.16s-%c%c\"", kernel->checksum, kernel->pinned ? 'p' : 'u',
             kernel->quarantined ? 'q' : 'r');
}

void kas_http_operation_etag(const kas_operation_info *operation, char out[KAS_HTTP_ETAG_SIZE])
{
    snprintf(out, KAS_HTTP_ETAG_SIZE, "\"%llx-%llu-%s\"", (unsigned long long)operation->created_at_ns,
             (unsigned long long)operation->id, kas_operation_state_name(operation->state));
}

/* Strong comparison (RFC 9110, 13.1.1): a weak tag matches nothing. */
static bool lists(const char *header, const char *etag)
{
    size_t length = strlen(etag);
    while (*header) {
        header += strspn(header, ", \t");
        size_t item = strcspn(header, ", \t");
        if (item == length && memcmp(header, etag, length) == 0) return true;
        header += item;
    }
    return false;
}

static bool is_any(const char *header)
{
    return strcmp(header, "*") == 0;
}

bool kas_http_if_match(kas_http_request *request, const char *etag)
{
    const char *header = kas_http_header(request, KAS_FIELD_IF_MATCH);
    if (!header || (etag && (is_any(header) || lists(header, etag)))) return true;
    if (etag)
        kas_http_refuse(request, KAS_PROBLEM_PRECONDITION_FAILED,
                        "the ETag is %s now; If-Match asks for %.200s", etag, header);
    else
        kas_http_refuse(request, KAS_PROBLEM_PRECONDITION_FAILED,
                        "there is nothing here yet that If-Match could match");
    return false;
}

bool kas_http_if_layer_matches(kas_http_request *request, uint64_t *revision)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_layer_info layer = {.size = sizeof layer};
    const char *header = kas_http_header(request, KAS_FIELD_IF_MATCH);
    *revision = 0;
    if (!header) return true;
    kas_status status = kas_engine_layer(request->engine, request->params[0], &layer);
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    kas_http_layer_etag(&layer, etag);
    if (!is_any(header)) *revision = layer.revision;
    return kas_http_if_match(request, etag);
}

bool kas_http_if_seed_matches(kas_http_request *request, uint64_t *revision)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_layer_info layer = {.size = sizeof layer};
    kas_seed_info seed = {.size = sizeof seed};
    const char *header = kas_http_header(request, KAS_FIELD_IF_MATCH);
    *revision = 0;
    if (!header) return true;
    kas_status status = kas_engine_layer(request->engine, request->params[0], &layer);
    if (!status) status = kas_engine_seed(request->engine, request->params[0], request->seed, &seed);
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    kas_http_seed_etag(&layer, &seed, etag);
    if (!is_any(header)) *revision = seed.revision;
    return kas_http_if_match(request, etag);
}
