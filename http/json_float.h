/* A float32 as the shortest decimal that reads back as the same: most of what an answer with a tensor costs. */
#ifndef KAS_HTTP_JSON_FLOAT_H
#define KAS_HTTP_JSON_FLOAT_H

#include <stddef.h>

enum { KAS_JSON_FLOAT_SIZE = 40 };

/* A finite value; always with a point or an exponent, so that it shows as a real one. Returns the length. */
size_t kas_json_format_float(float value, char out[KAS_JSON_FLOAT_SIZE]);

#endif
