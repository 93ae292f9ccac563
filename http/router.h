/* From a request's head to its route, or to the reason why there is none. */
#ifndef KAS_HTTP_ROUTER_H
#define KAS_HTTP_ROUTER_H

#include "http/request.h"

/* All routes whose patterns begin with a prefix, but for those of a section before; several may share a
 * pattern, one a method. */
typedef struct kas_http_section {
    const char *prefix;
    size_t prefix_length;
    const kas_http_route *routes;
    size_t count;
} kas_http_section;

extern const kas_http_section kas_http_sections[];
extern const size_t kas_http_section_count;

/* Judges the head: sets route, params, media, answer and the body's limit, or refuses. In this order: 401,
 * 403, 404 of the path, 405, 413, 415, 406. */
void kas_http_route_request(kas_http_request *request);

/* Matches an escaped path with a pattern; ids are unescaped into params. An id that is too long is cut at a
 * length that no valid id has, one with a broken escape becomes "" (which no valid id is). */
bool kas_http_match(const char *pattern, const char *path, char (*params)[KAS_HTTP_PARAM_SIZE]);

/* What the path's ids name: refuses the request unless it exists (paths.c). */
void kas_http_check_path(kas_http_request *request, const kas_http_route *route);

const char *kas_http_method_name(uint32_t bit); /* of one kas_http_method bit: "GET" */

#endif
