/* Numbers as files store them, to float32: whole arrays at once, at the speed of memory. Little-endian, any
 * alignment. */
#ifndef KAS_ARTIFACT_ELEMENTS_H
#define KAS_ARTIFACT_ELEMENTS_H

#include <stddef.h>

typedef enum kas_element {
    KAS_ELEMENT_F32 = 0,
    KAS_ELEMENT_F64,
    KAS_ELEMENT_F16,
    KAS_ELEMENT_BF16,
    KAS_ELEMENT_F8_E4M3FN,
    KAS_ELEMENT_F8_E5M2,
    KAS_ELEMENT_F8_E4M3FNUZ,
    KAS_ELEMENT_F8_E5M2FNUZ,
    KAS_ELEMENT_I8,
    KAS_ELEMENT_U8,
    KAS_ELEMENT_I16,
    KAS_ELEMENT_U16,
    KAS_ELEMENT_I32,
    KAS_ELEMENT_U32,
    KAS_ELEMENT_I64,
    KAS_ELEMENT_U64,
    KAS_ELEMENT_BOOL, /* any byte but 0 is 1 */
    KAS_ELEMENT_COUNT
} kas_element;

size_t kas_element_bytes(kas_element type);

/* `count` elements; float64 and wide integers are rounded to nearest. */
void kas_elements_to_floats(kas_element type, const void *bytes, size_t count, float *out);

#endif
