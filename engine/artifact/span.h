/* Bytes of an artifact, not copied: a text (not terminated) or a nested piece. Valid as long as what it
 * points into: the artifact's bytes, or the arena that it was inflated into. */
#ifndef KAS_ARTIFACT_SPAN_H
#define KAS_ARTIFACT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kas_span {
    const uint8_t *data;
    size_t size;
} kas_span;

bool kas_span_equal(kas_span a, kas_span b);
bool kas_span_is(kas_span span, const char *text);
int kas_span_compare(kas_span a,
                     kas_span b); /* byte by byte, as memcmp; a prefix stands before what it begins */
bool kas_span_begins(kas_span span, const char *prefix);
bool kas_span_is_utf8(
    kas_span span); /* well-formed: no overlong forms, surrogates or values beyond U+10FFFF */

/* For printf's "%.*s": texts of artifacts are cut in messages. */
enum { KAS_SPAN_SHOWN = 96 };
#define KAS_SPAN_ARGS(span)                                                                                  \
    (int)((span).size < KAS_SPAN_SHOWN ? (span).size : KAS_SPAN_SHOWN), (const char *)(span).data

#endif
