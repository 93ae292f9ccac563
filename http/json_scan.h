/* A scanner over JSON text that is not made into a tree. Positions only move forward; a failed call leaves
 * the scanner where it found the fault. */
#ifndef KAS_HTTP_JSON_SCAN_H
#define KAS_HTTP_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct kas_json_scan {
    const char *start, *at, *end;
} kas_json_scan;

char kas_json_peek(kas_json_scan *scan);            /* the next byte after white space; 0 at the end */
bool kas_json_take(kas_json_scan *scan, char byte); /* takes it if it is next */
kas_status kas_json_malformed(const kas_json_scan *scan, const char *wanted) KAS_MUST_USE;

/* A number by JSON's grammar. Beyond a double's range: infinite. */
kas_status kas_json_scan_number(kas_json_scan *scan, double *out) KAS_MUST_USE;
/* A string, checked but not unescaped: *text and *length are what stands between the quotes. */
kas_status kas_json_scan_string(kas_json_scan *scan, const char **text, size_t *length) KAS_MUST_USE;
/* Any value, checked and passed over. */
kas_status kas_json_skip(kas_json_scan *scan) KAS_MUST_USE;

/* Bytes of the UTF-8 sequence at `at`; 0: it is none (overlong, a surrogate, beyond U+10FFFF, cut). left > 0.
 */
size_t kas_utf8_length(const unsigned char *at, size_t left);

#endif
