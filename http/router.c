#include "http/router.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/budget.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"
#include "http/tokens.h"

static const char *const method_names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

enum { METHOD_COUNT = 5 };

const char *kas_http_method_name(uint32_t bit)
{
    return method_names[__builtin_ctz(bit)];
}

static uint32_t method_bit(const char *name)
{
    if (strcmp(name, "HEAD") == 0) return KAS_HTTP_GET;
    for (uint32_t i = 0; i < METHOD_COUNT; ++i) {
        if (strcmp(name, method_names[i]) == 0) return 1u << i;
    }
    return 0;
}

bool kas_http_match(const char *pattern, const char *path, char (*params)[KAS_HTTP_PARAM_SIZE])
{
    size_t count = 0;
    while (*pattern && *path) {
        if (*pattern != '{') {
            if (*pattern++ != *path++) return false;
            continue;
        }
        size_t length = strcspn(path, "/");
        if (length == 0) return false;
        if (!kas_http_unescape(path, length, params[count], KAS_HTTP_PARAM_SIZE)) params[count][0] = 0;
        ++count;
        path += length;
        pattern += 2;
    }
    return *pattern == *path;
}

/* As find, of one section. */
static const kas_http_route *find_in(const kas_http_section *section, kas_http_request *request,
                                     uint32_t wanted, uint32_t *methods)
{
    const kas_http_route *first = NULL;
    for (size_t i = 0; i < section->count; ++i) {
        const kas_http_route *route = &section->routes[i];
        if (first ? strcmp(route->pattern, first->pattern) != 0
                  : !kas_http_match(route->pattern, request->path, request->params))
            continue;
        if (!first) first = route;
        *methods |= route->method;
        if (route->method == wanted) return route;
    }
    return first;
}

/* The route for this method, or else one of the path's others, with all the path's methods in *methods. The
 * first pattern that matches is the one that counts: an artifact called "validate" is /v1/kernels/%76alidate.
 */
static const kas_http_route *find(kas_http_request *request, uint32_t wanted, uint32_t *methods)
{
    const kas_http_route *route = NULL;
    *methods = 0;
    for (size_t i = 0; i < kas_http_section_count && !route; ++i) {
        const kas_http_section *section = &kas_http_sections[i];
        if (strncmp(request->path, section->prefix, section->prefix_length) == 0)
            route = find_in(section, request, wanted, methods);
    }
    return route;
}

static size_t body_limit(const kas_http_request *request, const kas_http_route *route, kas_http_media media)
{
    const kas_http_options *options = &request->server->options;
    switch (route->limit) {
    case KAS_LIMIT_WEIGHTS:
        return options->weights_bytes;
    case KAS_LIMIT_ARTIFACT:
        return media == KAS_MEDIA_OCTETS ? options->artifact_bytes : options->json_bytes;
    case KAS_LIMIT_BODY:
        return options->body_bytes;
    default:
        return options->json_bytes;
    }
}

/* Whether an item of Accept, or a Content-Type, names this type, parameters aside. */
static bool type_is(const char *item, const char *type)
{
    size_t length = strcspn(item, ";, \t");
    return length == strlen(type) && strncasecmp(item, type, length) == 0;
}

/* What a body of this Content-Type is for a route. A form is what curl's -d says of any text: taken for JSON.
 */
static kas_http_media media_of(const kas_http_route *route, const char *type)
{
    if (!type || !*type) return route->accepts & KAS_MEDIA_OCTETS ? KAS_MEDIA_OCTETS : KAS_MEDIA_JSON;
    if (type_is(type, "application/json") || type_is(type, "application/x-www-form-urlencoded"))
        return KAS_MEDIA_JSON;
    return type_is(type, "application/octet-stream") ? KAS_MEDIA_OCTETS : KAS_MEDIA_NONE;
}

static const struct {
    kas_http_media media;
    const char *type, *group;
} answers[] = {
    {KAS_MEDIA_JSON, "application/json", "application/*"},
    {KAS_MEDIA_OCTETS, "application/octet-stream", "application/*"},
    {KAS_MEDIA_HTML, "text/html", "text/*"},
    {KAS_MEDIA_TEXT, "text/plain", "text/*"},
    {KAS_MEDIA_EVENTS, "text/event-stream", "text/*"},
    {KAS_MEDIA_YAML, "application/yaml", "application/*"},
};

static bool is_refused(const char *item, size_t length) /* q=0 */
{
    const char *q = memmem(item, length, "q=", 2);
    return q && strtod(q + 2, NULL) <= 0;
}

static uint8_t acceptable(const kas_http_request *request, uint8_t produces)
{
    const char *accept = kas_http_header(request, KAS_FIELD_ACCEPT);
    uint8_t found = 0;
    if (!accept || !*accept) return produces;
    while (*accept) {
        accept += strspn(accept, ", \t");
        size_t length = strcspn(accept, ",");
        for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i) {
            bool names = type_is(accept, answers[i].type) || type_is(accept, answers[i].group) ||
                         type_is(accept, "*/*");
            if ((produces & answers[i].media) && names && !is_refused(accept, length))
                found |= (uint8_t)answers[i].media;
        }
        accept += length;
    }
    return found;
}

/* Memory that a byte of the body takes, as a rule, with what it is turned into: a value has two bytes of JSON
 * or more, and becomes four in a tensor, nearly fifty in a tree. */
static size_t weight_of(const kas_http_route *route, kas_http_media media)
{
    if (media == KAS_MEDIA_OCTETS && !route->any_type) return 1;
    return route->tensor ? 3 : 24;
}

static void check_body(kas_http_request *request, const kas_http_route *route)
{
    const char *length = kas_http_header(request, KAS_FIELD_CONTENT_LENGTH);
    bool has_body =
        (length && strcmp(length, "0") != 0) || kas_http_header(request, KAS_FIELD_TRANSFER_ENCODING);
    kas_http_media media = route->any_type
                               ? (kas_http_media)route->accepts
                               : media_of(route, kas_http_header(request, KAS_FIELD_CONTENT_TYPE));
    request->body.limit = body_limit(request, route, media);
    request->body.weight = weight_of(route, media);
    request->body.declared = length ? strtoull(length, NULL, 10) : 0;
    if (request->body.declared > request->body.limit) {
        kas_http_refuse(request, KAS_PROBLEM_TOO_LARGE, "the body has %s bytes; the limit here is %zu",
                        length, request->body.limit);
        return;
    }
    if (route->accepts == KAS_MEDIA_NONE || (!has_body && route->body_optional)) {
        request->media = route->accepts ? KAS_MEDIA_JSON : KAS_MEDIA_NONE;
        return;
    }
    const char *encoding = kas_http_header(request, KAS_FIELD_CONTENT_ENCODING);
    if (encoding && strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "identity") != 0) {
        kas_http_refuse(request, KAS_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                        "the body is packed by %.100s; this takes gzip", encoding);
        return;
    }
    if (!(media & route->accepts)) {
        kas_http_refuse(request, KAS_PROBLEM_UNSUPPORTED_MEDIA_TYPE, "the body is %.100s; this takes %s%s%s",
                        kas_http_header(request, KAS_FIELD_CONTENT_TYPE),
                        route->accepts & KAS_MEDIA_JSON ? "application/json" : "",
                        route->accepts == (KAS_MEDIA_JSON | KAS_MEDIA_OCTETS) ? " or " : "",
                        route->accepts & KAS_MEDIA_OCTETS ? "application/octet-stream" : "");
        return;
    }
    request->media = (uint8_t)media;
}

/* Two lengths, or a length beside chunks: another server on the way may see the end elsewhere (RFC
 * 9112, 6.3). And a coding that libmicrohttpd does not know: it would wait for the connection's end.
 */
static bool has_one_length(kas_http_request *request)
{
    const char *coding = kas_http_header(request, KAS_FIELD_TRANSFER_ENCODING);
    const bool twice = request->fields.lengths > 1;
    if (!twice && (!coding || strcasecmp(coding, "chunked") == 0)) return true;
    if (twice)
        kas_http_refuse(request, KAS_PROBLEM_MALFORMED, "the head says twice how long the body is");
    else
        kas_http_refuse(request, KAS_PROBLEM_MALFORMED, "Transfer-Encoding is '%.100s'; this takes chunked",
                        coding);
    request->ambiguous = true;
    kas_http_add_header(request, "Connection", "close");
    return false;
}

void kas_http_route_request(kas_http_request *request)
{
    uint32_t wanted = method_bit(request->method), methods;
    if (!has_one_length(request)) return;
    const kas_http_route *route = find(request, wanted, &methods);
    if (!(route && route->open) && !kas_http_is_known(request)) return;
    if (route && route->method == wanted && !kas_http_is_allowed(request, (kas_http_role)route->role)) return;
    if (!route) {
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "there is nothing at this path; GET /v1 says what this server is");
        return;
    }
    kas_http_check_path(request, route);
    if (request->fault.problem) return;
    if (route->method != wanted) {
        kas_http_refuse(request, KAS_PROBLEM_METHOD_NOT_ALLOWED, "%.32s does nothing here", request->method);
        request->fault.allowed_methods = methods;
        return;
    }
    request->route = route;
    check_body(request, route);
    if (request->fault.problem) return;
    request->answer = acceptable(request, route->produces);
    if (route->produces && !request->answer) {
        kas_http_refuse(request, KAS_PROBLEM_NOT_ACCEPTABLE,
                        "no form of the answer is one that Accept allows: %.200s",
                        kas_http_header(request, KAS_FIELD_ACCEPT));
        return;
    }
    (void)kas_http_hold_body(request, request->body.declared);
}
