/* A growing, bounded text buffer. Appending to one that has failed does nothing, so a caller checks once. */
#ifndef KAS_BASE_TEXT_H
#define KAS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kas_text {
    char *bytes; /* NUL-terminated once anything was appended; NULL before */
    size_t length;
    size_t capacity;
    size_t max;  /* set by kas_text_init */
    bool failed; /* memory out, or beyond max */
} kas_text;

void kas_text_init(kas_text *text, size_t max_bytes);
void kas_text_append(kas_text *text, const char *bytes, size_t length);
void kas_text_printf(kas_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kas_text_finish(kas_text *text); /* frees; the text may be initialised again */

enum { KAS_DECIMAL_SIZE = 21 }; /* digits of the largest uint64_t, and a NUL */
/* The digits of a number and a NUL; returns how many. What is written for every request is written by this:
 * a format takes ten times as long. */
size_t kas_format_decimal(uint64_t value, char out[KAS_DECIMAL_SIZE]);

#endif
