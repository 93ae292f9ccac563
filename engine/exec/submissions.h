/* The submissions of a batch: which list runs where, bound to which memory. Each is written to a place of the
 * context's, with whom to blame should it fail. */
#ifndef KAS_EXEC_SUBMISSIONS_H
#define KAS_EXEC_SUBMISSIONS_H

#include "engine/exec/pass.h"

/* Culprits: contributions by their number, fossils after them. */
enum { KAS_NOBODY = -1, KAS_FIRST_FOSSIL = KAS_MAX_SEEDS };

void kas_put_seed(const kas_batch *batch, uint32_t at, uint32_t contribution);
void kas_put_judge(const kas_batch *batch, uint32_t at);
void kas_put_base(const kas_batch *batch, uint32_t at);
/* The three submissions of a fossil, which is blended over the base with the fossils before it. */
void kas_put_fossil(const kas_batch *batch, uint32_t at, uint32_t fossil);
void kas_put_fossil_judge(const kas_batch *batch, uint32_t at, uint32_t fossil);
void kas_put_fossil_blend(const kas_batch *batch, uint32_t at, uint32_t fossil);
/* The seeds' blend, over what the base left; or with the base, where that is one product that can. */
void kas_put_blend(const kas_batch *batch, uint32_t at, bool with_base);

/* All of them that the batch needs, from place 0 on; how many. */
uint32_t kas_put_all(const kas_batch *batch);
/* The most that it can be. */
uint32_t kas_put_all_most(const kas_plan *plan);

#endif
