/* Publication: the end of each change that passes can see. Which kernels a layer's view shows is derived
 * here, and only here, from its seeds; a kernel that no view shows any more is draining until its carrier
 * says that no pass runs it. */
#include <string.h>

#include "base/half.h"
#include "engine/state/rules.h"

static kas_entry *to_show(const kas_layer *layer, uint32_t seed)
{
    return kas_seed_shows(layer, seed) ? layer->slots[seed].hold.entry : NULL;
}

static kas_status show(kas_state *state, kas_entry *entry)
{
    KAS_TRY(kas_entry_edit(state, entry));
    ++entry->published;
    entry->draining = false;
    return kas_entry_settle(state, entry);
}

static kas_status hide(kas_state *state, kas_entry *entry)
{
    KAS_TRY(kas_entry_edit(state, entry));
    if (--entry->published == 0) entry->draining = true;
    return kas_entry_settle(state, entry);
}

/* First of two rounds: what views show anew, so that a kernel that goes from one seed to another never
 * drains. */
static kas_status show_new(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_entry *entry = to_show(layer, i);
        if (entry && entry != layer->slots[i].shown) KAS_TRY(show(state, entry));
    }
    return NULL;
}

static kas_status hide_old(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_entry *entry = to_show(layer, i), *shown = layer->slots[i].shown;
        if (entry == shown) continue;
        KAS_TRY(kas_seed_edit(state, layer, i));
        layer->slots[i].shown = entry;
        if (shown) KAS_TRY(hide(state, shown));
    }
    return NULL;
}

/* ---- replicas ---- */

/* Fossils are never folded there. */
static kas_entry *to_show_there(const kas_move *replica, uint32_t seed)
{
    const kas_layer *layer = replica->layer;
    bool shows = kas_seed_live(layer, seed) || kas_seed_state(layer, seed) == KAS_SEED_FOSSILIZED;
    return replica->ready && shows ? replica->holds[seed].entry : NULL;
}

static kas_status show_new_there(kas_state *state, const kas_layer *layer)
{
    for (uint32_t r = 0; r < layer->replica_count; ++r)
        for (uint32_t i = 0; i < layer->num_seeds; ++i) {
            kas_entry *entry = to_show_there(layer->replicas[r], i);
            if (entry && entry != layer->replicas[r]->shown[i]) KAS_TRY(show(state, entry));
        }
    return NULL;
}

static kas_status set_shown(kas_state *state, kas_move *replica, uint32_t seed, kas_entry *entry)
{
    kas_entry *shown = replica->shown[seed];
    if (entry == shown) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, &replica->shown[seed], sizeof shown));
    replica->shown[seed] = entry;
    return shown ? hide(state, shown) : NULL;
}

static kas_status hide_old_there(kas_state *state, const kas_layer *layer)
{
    for (uint32_t r = 0; r < layer->replica_count; ++r)
        for (uint32_t i = 0; i < layer->num_seeds; ++i)
            KAS_TRY(set_shown(state, layer->replicas[r], i, to_show_there(layer->replicas[r], i)));
    return NULL;
}

kas_status kas_publish_hide_replica(kas_state *state, kas_move *replica)
{
    for (uint32_t i = 0; i < replica->layer->num_seeds; ++i)
        KAS_TRY(set_shown(state, replica, i, NULL));
    return NULL;
}

/* ---- publishing ---- */

static kas_status publish(kas_state *state, kas_layer *layer)
{
    /* past every generation that a pass under the view before can have had */
    if (layer->marks & KAS_MARK_CHANGED)
        layer->generation = layer->published_generation + layer->view_steps + 1;
    layer->published_generation = layer->generation;
    KAS_TRY(kas_ramp_rebase(state, layer));
    KAS_TRY(hide_old(state, layer));
    KAS_TRY(hide_old_there(state, layer));
    return kas_emit_plain(state, KAS_EFFECT_PUBLISH, layer);
}

kas_status kas_publish_marked(kas_state *state)
{
    kas_pending *pending = &state->pending;
    for (size_t i = 0; i < pending->marked_count; ++i)
        KAS_TRY(kas_replicas_settle(state, pending->marked[i]));
    for (size_t i = 0; i < pending->marked_count; ++i) {
        if (!(pending->marked[i]->marks & KAS_MARK_VIEW)) continue;
        KAS_TRY(show_new(state, pending->marked[i]));
        KAS_TRY(show_new_there(state, pending->marked[i]));
    }
    for (size_t i = 0; i < pending->marked_count; ++i) {
        kas_layer *layer = pending->marked[i];
        if (layer->marks & KAS_MARK_VIEW) KAS_TRY(publish(state, layer));
        if (layer->marks & KAS_MARK_ARRAYS) layer->control_crc = kas_seeds_control_crc(layer);
        layer->marks = 0;
    }
    return NULL;
}

kas_status kas_publish_nothing(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (layer->slots[i].shown) KAS_TRY(hide(state, layer->slots[i].shown));
    kas_pending *pending = &state->pending;
    for (size_t i = 0; i < pending->marked_count; ++i) {
        if (pending->marked[i] != layer) continue;
        pending->marked[i] = pending->marked[--pending->marked_count];
        break;
    }
    return NULL;
}

/* ---- what a view is composed from ---- */

/* The seed's kernel: where it is, or where it is held for a move. */
static kas_resource kernel_of(const kas_layer *layer, const kas_move *move, uint32_t seed)
{
    const kas_hold *hold = move ? &move->holds[seed] : &layer->slots[seed].hold;
    return hold->entry ? hold->entry->kernel : 0;
}

static void fill_seed(const kas_layer *layer, const kas_move *move, uint32_t seed, kas_published_seed *out)
{
    const kas_slot *slot = &layer->slots[seed];
    *out = (kas_published_seed){.seed = seed,
                                .binding = slot->binding,
                                .kernel = kernel_of(layer, move, seed),
                                .alpha = kas_half_to_float(layer->seeds.alpha_blend[seed])};
    if (slot->ramp.unit != KAS_RAMP_PASSES) return;
    out->ramp = true;
    out->ramp_from = slot->ramp.from;
    out->ramp_to = slot->ramp.to;
    out->ramp_done = slot->ramp.published;
    out->ramp_length = slot->ramp.length;
    out->ramp_curve = slot->ramp.curve;
    out->alpha = kas_ramp_alpha(&slot->ramp, slot->ramp.published);
}

static void fill_fossil(const kas_layer *layer, const kas_move *move, uint32_t index,
                        kas_published_fossil *out)
{
    uint32_t seed = layer->fossils[index];
    const kas_slot *slot = &layer->slots[seed];
    *out = (kas_published_fossil){.kernel = kernel_of(layer, move, seed),
                                  .alpha = slot->fossil_alpha,
                                  .binding = slot->binding,
                                  .seed = seed};
}

/* move: as the view would be at the end of it; NULL: as it is. */
static void fill_layer(const kas_state *state, const kas_layer *layer, const kas_move *move,
                       kas_published_layer *out)
{
    uint32_t folded = move ? 0 : layer->folded_fossils;
    memset(out, 0, sizeof *out);
    out->uid = layer->uid;
    memcpy(out->name, layer->name, sizeof out->name);
    out->input_size = layer->input_size;
    out->output_size = layer->output_size;
    memcpy(out->device, move ? move->device : layer->device, sizeof out->device);
    out->math = layer->math;
    out->serving = layer->serving;
    out->generation = layer->published_generation;
    out->epoch = state->now.epoch;
    out->weights = folded ? layer->folded_weights : move ? move->weights.copy : layer->weights;
    out->folded_fossils = folded;
    for (uint32_t i = folded; i < layer->fossil_count; ++i)
        fill_fossil(layer, move, i, &out->fossils[out->fossil_count++]);
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (kas_seed_live(layer, i)) fill_seed(layer, move, i, &out->seeds[out->seed_count++]);
}

bool kas_state_published(const kas_state *state, uint64_t layer_uid, kas_published_layer *out)
{
    const kas_layer *layer = kas_layer_by_uid(state, layer_uid);
    if (layer) fill_layer(state, layer, NULL, out);
    return layer != NULL;
}

/* With the staged loads' kernels where they are held, as if all their epochs had come. */
static void fill_ahead(const kas_layer *layer, const kas_move *replica, kas_published_layer *out)
{
    uint32_t n = layer->num_seeds;
    out->seed_count = 0;
    for (uint32_t i = 0; i < n; ++i) {
        const kas_entry *staged = replica->holds[n + i].entry;
        if (!staged && !kas_seed_live(layer, i)) continue;
        kas_published_seed *seed = &out->seeds[out->seed_count++];
        fill_seed(layer, replica, i, seed);
        if (!staged) continue;
        seed->kernel = staged->kernel;
        seed->ramp = false;
    }
}

bool kas_state_moving(const kas_state *state, uint64_t operation, kas_published_layer *out)
{
    const kas_move *move = kas_move_of(kas_operation_find(state, operation));
    if (!move) return false;
    fill_layer(state, move->layer, move, out);
    if (move->ready) fill_ahead(move->layer, move, out);
    return true;
}

bool kas_state_replica(const kas_state *state, uint64_t layer_uid, uint32_t from, kas_published_layer *out,
                       uint32_t *next)
{
    const kas_layer *layer = kas_layer_by_uid(state, layer_uid);
    while (layer && from < layer->replica_count && !layer->replicas[from]->ready)
        ++from;
    *next = from + 1;
    if (!layer || from >= layer->replica_count) return false;
    fill_layer(state, layer, layer->replicas[from], out);
    return true;
}

bool kas_state_fold_source(const kas_state *state, uint64_t layer_uid, kas_resource *weights,
                           kas_published_fossil *fossils, uint32_t *count)
{
    const kas_layer *layer = kas_layer_by_uid(state, layer_uid);
    if (!layer) return false;
    *weights = layer->weights;
    *count = layer->fossil_count;
    for (uint32_t i = 0; i < layer->fossil_count; ++i)
        fill_fossil(layer, NULL, i, &fossils[i]);
    return true;
}
