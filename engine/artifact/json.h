/* JSON from outside, for Jansson: nesting is bounded before the parser recurses. */
#ifndef KAS_ARTIFACT_JSON_H
#define KAS_ARTIFACT_JSON_H

#include <jansson.h>

#include "base/status.h"

enum { KAS_JSON_MAX_NESTING = 32 };

/* An object, duplicate keys refused. KAS_INVALID_ARTIFACT with `reason` says where the text is wrong. */
kas_status kas_artifact_parse_json(const char *text, size_t size_bytes, const char *reason,
                                   json_t **out) KAS_MUST_USE;

#endif
