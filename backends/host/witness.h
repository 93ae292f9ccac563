/* What products tell the judge that comes after them in a pass, so that it need not read what they had in
 * hand: a byte a row, not zero where something in it is, or may be, NaN or infinite.
 *
 * Of its output a product sees every number. Of its input it sees one sum, before any activation: of NaN or
 * infinity times anything a sum never comes back to a finite number (IEEE 754: ∞·0, ∞ − ∞ and whatever has a
 * NaN in it are NaN, ∞ plus a finite number is ∞), so one finite output vouches for its whole input row. A
 * sum that is not finite says nothing, as finite products may overflow: that row is read.
 *
 * Small passes do without: reading is cheaper there than finding out who could tell. */
#ifndef KAS_HOST_WITNESS_H
#define KAS_HOST_WITNESS_H

#include "backends/host/pass.h"

/* Bytes that kas_host_witness_call needs for one launch of that many rows: 0 for all but a judge. */
size_t kas_host_witness_bytes(const kas_launch *launch, uint32_t rows);

/* Finds for each judge of a pass who can tell, and makes them do so. flags: of the bytes of all its launches
 * together; in use until the pass has ended. */
void kas_host_witness_call(kas_host_step *steps, size_t count, _Atomic uint8_t *flags);

#endif
