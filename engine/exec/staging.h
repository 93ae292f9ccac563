/* What a submission of a batch reads and writes besides kernels' memory: parameters and result blocks, and
 * where a pass does not lend its own memory, its rows. All of it lies in the context's arena
 * (kas_plan_lay_out); on devices that cannot use host memory it is mirrored there, and copied before and
 * after. */
#ifndef KAS_EXEC_STAGING_H
#define KAS_EXEC_STAGING_H

#include "engine/exec/pass.h"

/* Whether the arena is mirrored. */
bool kas_stage_copies(const kas_batch *batch);
/* What is at an offset of the arena, or of its mirror. */
void *kas_stage_at(const kas_batch *batch, size_t offset_bytes);

/* Parameters and, where staged, rows; enqueues their upload. */
kas_status kas_stage_in(const kas_batch *batch) KAS_MUST_USE;
/* After contributions have failed as a whole: the parameters once more, with what is broken now. */
kas_status kas_stage_broken(const kas_batch *batch) KAS_MUST_USE;
kas_status kas_stage_broken_fossil(const kas_batch *batch, uint32_t fossil) KAS_MUST_USE;

/* Enqueues the download of results and, where staged, rows. */
kas_status kas_stage_results(const kas_batch *batch) KAS_MUST_USE;
/* Hands staged rows to their passes, once nothing is in flight. */
void kas_stage_out(const kas_batch *batch);

#endif
