/* Layers that could not leave a lost device. Each stays there, answered by its replicas if it has any, and
 * its move is tried again, after pauses that grow: what stood in the way (room in the cache, say) may go. It
 * ends when the layer is elsewhere, goes itself, or somebody cancels a try. */
#include <string.h>

#include "base/clock.h"
#include "engine/state/rules.h"

#define PAUSE_FIRST_NS (1 * KAS_NS_PER_S)
#define PAUSE_MAX_NS   (300 * KAS_NS_PER_S)

static int64_t pause_after(uint32_t tries)
{
    int64_t pause_ns = PAUSE_FIRST_NS;
    while (--tries > 0 && pause_ns < PAUSE_MAX_NS)
        pause_ns *= 2;
    return pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS;
}

bool kas_flight_is_news(const kas_layer *layer, kas_code code)
{
    return layer->flight.tries == 0 || layer->flight.code != code;
}

kas_status kas_flight_put_off(kas_state *state, kas_layer *layer, kas_code code)
{
    KAS_TRY(kas_layer_edit(state, layer));
    kas_flight *flight = &layer->flight;
    if (flight->tries < UINT32_MAX) ++flight->tries;
    flight->code = code;
    flight->at_ns = state->now.now_ns + pause_after(flight->tries);
    kas_link *where = &state->fleeing;
    while (where->prev != &state->fleeing &&
           KAS_OWNER(where->prev, kas_layer, flight.waiting)->flight.at_ns > flight->at_ns)
        where = where->prev;
    return kas_list_insert_before(&state->undo, where, &flight->waiting);
}

kas_status kas_flight_go_on(kas_state *state, kas_layer *layer, bool *flees)
{
    *flees |= kas_list_linked(&layer->flight.waiting);
    KAS_TRY(kas_layer_edit(state, layer));
    return kas_list_remove(&state->undo, &layer->flight.waiting);
}

kas_status kas_flight_end(kas_state *state, kas_layer *layer)
{
    KAS_TRY(kas_layer_edit(state, layer));
    KAS_TRY(kas_list_remove(&state->undo, &layer->flight.waiting));
    layer->flight.tries = 0;
    layer->flight.device[0] = 0;
    return NULL;
}

kas_status kas_flight_to(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind)
{
    KAS_TRY(kas_layer_edit(state, layer));
    memset(layer->flight.device, 0, sizeof layer->flight.device);
    memcpy(layer->flight.device, device, strnlen(device, sizeof layer->flight.device - 1));
    layer->flight.device_kind = device_kind;
    return NULL;
}

kas_status kas_flight_try(kas_state *state, kas_layer *layer)
{
    const kas_move *replica = kas_replica_ready(layer);
    const kas_flight *flight = &layer->flight;
    if (replica) return kas_move_flee(state, layer, replica->device, replica->device_kind);
    return flight->device[0] ? kas_move_flee(state, layer, flight->device, flight->device_kind) : NULL;
}

kas_status kas_flight_tick(kas_state *state)
{
    while (!kas_list_empty(&state->fleeing)) {
        kas_layer *layer = KAS_OWNER(state->fleeing.next, kas_layer, flight.waiting);
        if (layer->flight.at_ns > state->now.now_ns) return NULL;
        KAS_TRY(kas_flight_try(state, layer));
        if (layer->move) continue;
        KAS_TRY(kas_list_remove(&state->undo, &layer->flight.waiting)); /* there is nowhere to go yet */
        KAS_TRY(kas_flight_put_off(state, layer, layer->flight.code));
    }
    return NULL;
}
