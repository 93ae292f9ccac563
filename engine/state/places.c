/* What a layer that moves, or a replica of one, needs on the other device, and what of it is held there: a
 * place for each seed's kernel and one for each staged load's. */
#include <string.h>

#include "engine/state/rules.h"

/* Of how many seeds' kernels and staged loads it must have its own: a replica shows no staged ones. */
static uint32_t places_of(const kas_move *move)
{
    return move->stays ? move->layer->num_seeds : 2 * move->layer->num_seeds;
}

/* Of how many it gets its own now: a replica that is ready gets ready for what is staged. */
uint32_t kas_move_places(const kas_move *move)
{
    return move->stays && !move->ready ? move->layer->num_seeds : 2 * move->layer->num_seeds;
}

/* Of the layer's 2 · num_seeds places for kernels: what it holds on its present device, and under which id.
 */
static kas_hold *hold_at(const kas_layer *layer, uint32_t place)
{
    uint32_t n = layer->num_seeds;
    if (place < n) return &layer->slots[place].hold;
    kas_staged *staged = layer->slots[place - n].staged;
    return staged ? &staged->hold : NULL;
}

const char *kas_move_artifact(const kas_layer *layer, uint32_t place)
{
    uint32_t n = layer->num_seeds;
    return place < n ? layer->slots[place].artifact_id : layer->slots[place - n].staged->wish.artifact_id;
}

/* The bytes that are needed at this place; NULL: none. */
static kas_content *content_at(const kas_layer *layer, uint32_t place)
{
    const kas_hold *hold = hold_at(layer, place);
    return hold && hold->entry ? hold->entry->content : NULL;
}

bool kas_move_needs(const kas_move *move, const kas_content *content)
{
    for (uint32_t i = 0; content && i < kas_move_places(move); ++i)
        if (content_at(move->layer, i) == content) return true;
    return false;
}

static bool holds_between(const kas_move *move, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; ++i) {
        const kas_entry *entry = move->holds[i].entry;
        if ((entry ? entry->content : NULL) != content_at(move->layer, i)) return false;
    }
    return true;
}

bool kas_move_has_all(const kas_move *move)
{
    if (!move->weights.copy || move->weights.of != move->layer->weights || !move->tried) return false;
    return holds_between(move, 0, places_of(move));
}

/* Of a ready replica: what is staged, with a plan that has it, or all of it that could be had. */
bool kas_replica_is_prepared(const kas_move *replica)
{
    uint32_t n = replica->layer->num_seeds;
    bool staged = false;
    for (uint32_t i = n; i < 2 * n; ++i)
        staged |= content_at(replica->layer, i) != NULL;
    return replica->gave_up || (holds_between(replica, n, 2 * n) && (replica->ahead || !staged));
}

/* ---- holding ---- */

/* What is held at this place is about to be this content: whether the plan that was tried is still one of it.
 */
static void note_change(kas_move *move, uint32_t place, const kas_content *content)
{
    const uint32_t n = move->layer->num_seeds;
    const kas_entry *held = move->holds[place].entry;
    if (move->stays && place >= n) { /* less is less memory */
        move->ahead &= !content;
        move->stale |= content != NULL;
        return;
    }
    const kas_entry *staged = move->stays ? move->holds[n + place].entry : NULL;
    if (content && move->ahead && staged && staged->content == content) return;
    if (!content && (move->stays || !held)) return;
    move->tried = move->ahead = false;
    move->stale = true;
}

kas_status kas_move_hold(kas_state *state, kas_move *move, uint32_t *missing)
{
    uint32_t places = kas_move_places(move);
    *missing = places;
    for (uint32_t i = 0; i < places;
         ++i) { /* seeds before what is staged for them, which they may have got */
        kas_hold *hold = &move->holds[i];
        kas_content *content = content_at(move->layer, i);
        if (hold->entry && hold->entry->content == content) continue;
        kas_entry *entry = content ? kas_cache_find(content, move->device) : NULL;
        note_change(move, i, content);
        KAS_TRY(kas_hold_drop(state, hold));
        if (entry && entry->kernel)
            KAS_TRY(kas_hold_take(state, hold, entry));
        else if (content && *missing == places)
            *missing = i;
    }
    return NULL;
}
