#!/usr/bin/env python3
"""Proves that the simulation can fail: rules of engine/state are broken one at a time, and each must be found.

    mutations.py --source DIR --compiler CC --objects FILE… --libraries FILE…

A mutant's object stands before the library of the state, so that the linker takes it in place of the sound one."""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

ENDS_WITHIN_S = 150  # many times what a sound program takes: a state that was broken may make it go round for ever

# What is broken, the file of engine/state, the text and what stands in its place.
MUTANTS = [
    ("a kernel may be evicted while passes use it", "cache.c",
     "!entry->uses && !entry->published && !entry->draining", "!entry->uses && !entry->published"),
    ("the most recently used kernel is evicted first", "cache.c",
     "KAS_OWNER(state->cold.next, kas_entry, cold)", "KAS_OWNER(state->cold.prev, kas_entry, cold)"),
    ("a pinned kernel may be evicted", "cache.c", "is_idle(entry) && !entry->content->pins", "is_idle(entry)"),
    ("a kernel in use is evicted on request", "cache.c",
     "if (!entry->make && !entry->uses) continue;", "if (!entry->make) continue;"),
    ("the cache holds more than its limit", "cache.c",
     "state->now.cache_bytes + bytes <= state->limits.cache_bytes",
     "state->now.cache_bytes <= state->limits.cache_bytes"),
    ("concurrent loads of one artifact fetch it twice", "makes.c",
     "kas_make *make = kas_make_find(state, artifact_id, device);", "kas_make *make = NULL;"),
    ("a make that nobody waits for goes on", "makes.c",
     "return kas_list_empty(&make->waiters) ? abandon(state, make) : NULL;", "return NULL;"),
    ("a kernel that was put into quarantine meanwhile is bound", "makes.c",
     "kas_load_check_quarantine(waiter, entry->content); /* it may", "NULL; /* it may"),
    ("loads are not told that their make failed", "makes.c",
     "    KAS_TRY(fail_all(state, make, &failure));\n    return end(state, make);", "    return end(state, make);"),
    ("other bytes are bound to a known id", "artifacts.c",
     "if (binding && !kas_sha256_equal(&binding->content->checksum, checksum))", "if (false)"),
    ("the fourth load failure makes ERROR_RECOVERY", "load.c",
     "slot->load_failures >= KAS_CONSECUTIVE_FAILURES", "slot->load_failures > KAS_CONSECUTIVE_FAILURES"),
    ("a load that fails over a kernel loses it", "load.c",
     "over_kernel ? KAS_SEED_ACTIVE : KAS_SEED_DORMANT, reason));",
     "KAS_SEED_DORMANT, reason));\n    if (over_kernel) KAS_TRY(kas_seed_unbind(state, layer, seed));"),
    ("a staged load is not checked again at the boundary", "epoch.c",
     "    KAS_TRY(kas_change_check(state, staged->layer, (uint32_t)staged->seed, staged->change));\n",
     "    if (staged->change != KAS_CHANGE_LOAD)\n"
     "        KAS_TRY(kas_change_check(state, staged->layer, (uint32_t)staged->seed, staged->change));\n"),
    ("an epoch applies later changes too", "epoch.c",
     "return staged->at_epoch <= epoch ? staged : NULL;", "return staged->at_epoch <= epoch + 1 ? staged : NULL;"),
    ("an epoch does not publish layers without changes", "epoch.c",
     "KAS_TRY(kas_layer_mark(state, state->layers_in_order.items[i].object, KAS_MARK_VIEW));", ";"),
    ("an unready staged load is applied as if it were ready", "epoch.c",
     "if (unready && !command->advance.skip_unready) return", "if (unready > 1 && !command->advance.skip_unready) return"),
    ("a generation is used twice while a ramp runs", "publish.c",
     "layer->published_generation + layer->view_steps + 1", "layer->generation + 1"),
    ("a changed alpha is not published", "changes.c",
     "KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));\n    *alpha", "*alpha"),
    ("fossilizing moves the answer", "fossils.c",
     "alpha / (1 - sum_of_alphas(layer) + alpha)", "alpha / (1 - sum_of_alphas(layer))"),
    ("a fold that comes too late is leaked", "fossils.c",
     "if (!layer) return kas_emit_release(state, weights);", "if (!layer) return NULL;"),
    ("a fold of replaced weights is used", "layers.c",
     "    KAS_TRY(kas_fold_cancel(state, layer));\n    return kas_fold_begin(state, layer);", "    return NULL;"),
    ("replaced weights are leaked", "layers.c",
     "    KAS_TRY(kas_emit_release(state, layer->weights));\n    KAS_TRY(kas_emit_release(state, layer->folded_weights));\n"
     "    layer->weights", "    KAS_TRY(kas_emit_release(state, layer->folded_weights));\n    layer->weights"),
    ("weights that are staged and dropped are leaked", "staging.c",
     "if (dropped) KAS_TRY(kas_emit_release(state, staged->weights));", ""),
    ("weights are released before the view that shows them", "effects.c",
     "[KAS_EFFECT_RELEASE_WEIGHTS] = 3", "[KAS_EFFECT_RELEASE_WEIGHTS] = 1"),
    ("what was overwritten is not put back", "undo.c",
     "if (popped->kind == RECORD_IMAGE) memcpy(", "if (popped->kind == RECORD_IMAGE && popped->size_bytes != 8) memcpy("),
    ("a seed is changed without being saved", "changes.c",
     "    KAS_TRY(kas_seed_edit(state, layer, seed));\n    kas_seed_revise(layer, seed);\n    if (wish->ramp.unit",
     "    kas_seed_revise(layer, seed);\n    if (wish->ramp.unit"),
    ("failures are counted over passes that went well", "results.c", "    layer->seeds.error_count[seed] = 0;\n", ""),
    ("results of an earlier binding count", "results.c", "slot->binding == result->binding ? slot : NULL", "slot"),
    ("a device's failures put a kernel into quarantine", "results.c",
     "bool own = result->outcome == KAS_OUTCOME_NON_FINITE;", "bool own = true;"),
    ("a seed in ERROR_RECOVERY is tried again too early", "recovery.c", "(30 * KAS_NS_PER_S)", "(20 * KAS_NS_PER_S)"),
    ("faults of long ago count", "recovery.c", "(300 * KAS_NS_PER_S)", "(900 * KAS_NS_PER_S)"),
    ("ramps over time forget to ask for a wakeup", "state.c",
     "kas_list_empty(&state->ramping) ? KAS_NEVER : state->now.next_ramp_ns", "KAS_NEVER"),
    ("a ramp over passes counts what it was told before", "ramps.c",
     "ramp->done = ramp->published + (steps < left ? steps : left);", "ramp->done += steps < left ? steps : left;"),
    ("a ramp goes on in a seed that was unloaded", "seeds.c",
     "    KAS_TRY(kas_ramp_end(state, layer, seed));\n    KAS_TRY(kas_hold_drop", "    KAS_TRY(kas_hold_drop"),
    ("a bound seed stays on its fallback", "seeds.c",
     "    layer->seeds.fallback_active[seed] = 0;\n    float alpha", "    float alpha"),
    ("a layer moves without a trial", "move.c",
     "    if (!done) return ask(state, move, KAS_EFFECT_MOVE_TRY, KAS_MOVE_WAITS_TRIAL, 0);\n", ""),
    ("a layer that has moved is not published", "move.c",
     "    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));\n    KAS_TRY(exchange_kernels",
     "    KAS_TRY(kas_layer_edit(state, layer));\n    KAS_TRY(exchange_kernels"),
    ("the weights that a layer leaves behind are leaked", "move.c",
     "    KAS_TRY(kas_emit_release(state, layer->weights));\n", ""),
    ("weights that are set during a move are lost at its end", "move.c",
     "if (*copied == of) return NULL;", "if (*copied) return NULL;"),
    ("a load goes on where its layer was", "move.c",
     "if (slot->load) KAS_TRY(kas_make_redirect(state, slot->load, layer->device, layer->device_kind));", ""),
    ("a staged load's kernel stays where its layer was", "move.c",
     "        KAS_TRY(exchange(state, &slot->staged->hold, &moved[layer->num_seeds]));\n", ""),
    ("a move that is over holds its kernels", "move.c",
     "    for (uint32_t i = 0; i < 2 * move->layer->num_seeds; ++i)\n        KAS_TRY(kas_hold_drop(state, &move->holds[i]));\n", ""),
    ("the copies of a move that failed are leaked", "move.c",
     "    KAS_TRY(kas_emit_release(state, move->weights.copy));\n", ""),
    ("a copy that comes too late is leaked", "move.c",
     "return kas_emit_release(state, weights);\n    KAS_TRY(kas_move_edit", "return NULL;\n    KAS_TRY(kas_move_edit"),
    ("a move survives its layer", "layers.c",
     "    if (layer->move) KAS_TRY(kas_load_cancel(state, layer->move->operation, \"its layer was removed\"));\n", ""),
    ("a replica that lacks what its layer got is shown", "replicas.c",
     "    if (!kas_move_has_all(replica)) {\n", "    if (false) {\n"),
    ("a replica that lacks nothing is not shown", "replicas.c",
     "    KAS_TRY(kas_layer_mark(state, replica->layer, KAS_MARK_VIEW));\n    KAS_TRY(kas_move_end_operation", "    KAS_TRY(kas_move_end_operation"),
    ("a replica that is dropped is shown until the next change", "replicas.c",
     "replica->ready ? KAS_MARK_VIEW : KAS_MARK_ARRAYS", "KAS_MARK_ARRAYS"),
    ("the kernels of a replica that is dropped never drain", "replicas.c",
     "    KAS_TRY(kas_publish_hide_replica(state, replica));\n", ""),
    ("what a replica had is leaked", "replicas.c", "    KAS_TRY(kas_move_let_go(state, replica));\n", ""),
    ("replicas are not made ready for what is staged", "replicas.c",
     "    return layer->replica_count ? kas_layer_mark(state, layer, KAS_MARK_ARRAYS) : NULL;\n", "    return NULL;\n"),
    ("a replica that was ready for an epoch is out of the view when it comes", "places.c",
     "    if (content && move->ahead && staged && staged->content == content) return;\n", ""),
    ("a replica is tried without what is staged", "publish.c", "    if (move->ready) fill_ahead(move->layer, move, out);\n", ""),
    ("a replica that cannot get what is staged is dropped", "move.c",
     "    if (move->stays && move->ready) return kas_replica_give_up(state, move, &told);\n", ""),
    ("replicas are not told of changes", "publish.c",
     "        KAS_TRY(kas_replicas_settle(state, pending->marked[i]));\n", "        ;\n"),
    ("kernels of replicas may be evicted while passes use them", "publish.c",
     "        KAS_TRY(show_new_there(state, pending->marked[i]));\n", ""),
    ("a replica stays where its layer has moved to", "move.c",
     "    KAS_TRY(kas_replica_make_way(state, layer, move->device));\n", ""),
    ("replicas survive their layer", "layers.c", "    KAS_TRY(kas_replicas_drop_all(state, layer));\n", ""),
    ("layers stay on a lost device", "loss.c", "return *leaves ? leave(state, layer, command) : NULL;", "return NULL;"),
    ("a layer goes nowhere although a replica of it is ready", "flight.c",
     "    if (replica) return kas_move_flee(state, layer, replica->device, replica->device_kind);\n", "    (void)replica;\n"),
    ("no alert is raised for a lost device", "loss.c", "KAS_EFFECT_ALERT, NULL", "KAS_EFFECT_ERROR, NULL"),
    ("no alert is raised when a layer cannot leave", "move.c",
     "move->flees ? KAS_EFFECT_ALERT : KAS_EFFECT_ERROR", "KAS_EFFECT_ERROR"),
    ("every try of a layer to leave is an alert", "move.c",
     "    if (move->flees && !kas_flight_is_news(move->layer, failure->code)) return NULL;\n", ""),
    ("a layer that could not leave a lost device is not moved again", "move.c",
     "    else if (move->flees)\n        KAS_TRY(kas_flight_put_off(state, layer, failure->code));\n", ""),
    ("a layer that has left remembers what stood in its way", "flight.c", "    layer->flight.tries = 0;\n", ""),
    ("the pauses between moves do not grow", "flight.c", "        pause_ns *= 2;\n", "        pause_ns += 0;\n"),
    ("moves off a lost device forget to ask for a wakeup", "state.c",
     "    if (!kas_list_empty(&state->fleeing))\n", "    if (false)\n"),
    ("a move that is asked for between two tries is not one of them", "flight.c",
     "*flees |= kas_list_linked(&layer->flight.waiting);", "*flees |= false;"),
    ("a move that was asked for is not known to be needed", "move.c", "    layer->move->flees = true;\n", ""),
    ("replicas on a lost device are shown", "loss.c",
     "    KAS_TRY(kas_replica_device_lost(state, layer, device));\n", ""),
    ("moves to a lost device go on", "loss.c", "    KAS_TRY(kas_move_device_lost(state, layer, device));\n", ""),
    ("kernels on a lost device stay in the cache", "loss.c",
     "    KAS_TRY(kas_cache_device_lost(state, command->lost.device));\n", ""),
    ("loads find kernels on a lost device", "cache.c",
     "    KAS_TRY(doom(state, entry));\n    return kas_entry_settle", "    return kas_entry_settle"),
    ("kernels on a lost device are discounted twice", "cache.c", "    if (!entry->lost) {\n", "    {\n"),
    ("a lost replica is not listed as such", "replicas.c", "    replica->lost = true;\n", ""),
    ("a lost replica is dropped", "replicas.c", "if (!replica->joined) return", "if (true) return"),
    ("a replica that could not be made is listed as lost", "replicas.c", "if (!replica->joined) return", "if (false) return"),
    ("a lost replica is made again at the next change", "replicas.c",
     "if (replica->lost || (replica->operation", "if ((replica->operation"),
    ("the weights of a lost replica are released twice", "replicas.c",
     "    replica->weights.of = replica->weights.copy = 0;\n", ""),
    ("an operation lasts until it is decided, not until it is shown", "operations.c",
     "    operation->info.duration_ns = state->now.now_ns - operation->started_ns;\n    return NULL;", "    return NULL;"),
    ("the end of an operation is not told", "operations.c",
     "    KAS_TRY(kas_operation_changed(state, operation));\n    operation->make = NULL;", "    operation->make = NULL;"),
]


def build(arguments, folder, number, mutant):
    """The program with this mutant in it."""
    what, name, old, new = mutant
    with open(os.path.join(arguments.source, "engine/state", name), encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        sys.exit(f"mutations.py: \"{what}\" does not fit {name} any more: its text occurs {text.count(old)} times")
    path = os.path.join(folder, f"{number}-{name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    program = os.path.join(folder, f"kas_sim_{number}")
    subprocess.run([arguments.compiler, "-std=gnu11", "-O1", "-w", "-D_GNU_SOURCE", f"-I{arguments.source}",
                    f"-I{arguments.source}/include", "-c", path, "-o", f"{path}.o"], check=True)
    subprocess.run([arguments.compiler, f"{path}.o", *arguments.objects, *arguments.libraries, "-lnettle", "-lpthread",
                    "-lm", "-o", program], check=True)
    return program


def run(program):
    """Whether the simulation finds something, and what."""
    for steps, runs in ((150, 3000), (1000, 600)):
        try:
            result = subprocess.run([program, "--runs", str(runs), "--steps", str(steps)], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, check=False, timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "it does not end"
        if result.returncode:
            lines = result.stderr.decode(errors="replace").splitlines()
            return next((line for line in lines if line.startswith("seed ")), f"ended by signal {-result.returncode}")
    return None


def main():
    parser = argparse.ArgumentParser()
    for name in ("source", "compiler"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("objects", "libraries"):
        parser.add_argument(f"--{name}", required=True, nargs="+")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="kasmina-mutants-")
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda at: run(build(arguments, folder, *at)), enumerate(MUTANTS)))
    finally:
        shutil.rmtree(folder)
    for mutant, line in zip(MUTANTS, found):
        print(f"{'found' if line else 'NOT FOUND'}: {mutant[0]}" + (f"\n    {line}" if line else ""))
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
