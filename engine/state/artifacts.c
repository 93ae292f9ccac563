/* Artifacts: which bytes an id means (for good), which are pinned, which are in quarantine. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/state/rules.h"

static uint64_t hash_id(const char *artifact_id)
{
    return kas_fnv1a(artifact_id, strlen(artifact_id));
}

static uint64_t hash_checksum(const kas_sha256 *checksum)
{
    return kas_fnv1a(checksum->bytes, sizeof checksum->bytes);
}

kas_binding *kas_binding_find(const kas_state *state, const char *artifact_id)
{
    kas_map_node *node = kas_map_first(&state->bindings, hash_id(artifact_id));
    for (; node; node = kas_map_next(node)) {
        kas_binding *binding = KAS_OWNER(node, kas_binding, by_id);
        if (!strcmp(binding->artifact_id, artifact_id)) return binding;
    }
    return NULL;
}

kas_content *kas_content_find(const kas_state *state, const kas_sha256 *checksum)
{
    kas_map_node *node = kas_map_first(&state->contents, hash_checksum(checksum));
    for (; node; node = kas_map_next(node)) {
        kas_content *content = KAS_OWNER(node, kas_content, by_checksum);
        if (kas_sha256_equal(&content->checksum, checksum)) return content;
    }
    return NULL;
}

kas_status kas_content_edit(kas_state *state, kas_content *content)
{
    if (content->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, content, sizeof *content));
    content->touched = state->pending.serial;
    return NULL;
}

kas_status kas_artifact_check_name(const char *artifact_id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/";
    size_t length = strnlen(artifact_id, KAS_NAME_SIZE);
    if (length == 0 || length == KAS_NAME_SIZE || strspn(artifact_id, allowed) != length ||
        !strcmp(artifact_id, ".") || !strcmp(artifact_id, ".."))
        return kas_fail(
            KAS_INVALID_ARGUMENT, CALLER,
            "an artifact id is 1 to 128 of A-Z a-z 0-9 . _ - : / and not . or ..; \"%.128s\" is not",
            artifact_id);
    return NULL;
}

/* ---- binding ---- */

static kas_status content_of(kas_state *state, const kas_sha256 *checksum, const char *artifact_id,
                             kas_content **out)
{
    kas_content *content = kas_content_find(state, checksum);
    if (!content) {
        void *block;
        KAS_TRY(kas_undo_alloc(&state->undo, sizeof *content, &block));
        content = block;
        content->number = ++state->now.last_content;
        content->checksum = *checksum;
        memcpy(content->first_id, artifact_id, strlen(artifact_id) + 1);
        kas_list_init(&content->entries);
        kas_list_init(&content->makes);
        KAS_TRY(
            kas_map_insert(&state->contents, &state->undo, &content->by_checksum, hash_checksum(checksum)));
        KAS_TRY(kas_list_append(&state->undo, &state->contents_in_order, &content->all));
    }
    *out = content;
    return NULL;
}

static kas_status refuse_other_bytes(const kas_binding *binding, const kas_sha256 *checksum)
{
    char bound[KAS_SHA256_HEX_SIZE], other[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&binding->content->checksum, bound);
    kas_sha256_hex(checksum, other);
    return kas_with_reason(
        kas_fail(KAS_CONFLICT, CALLER,
                 "artifact %s is bound to the bytes with SHA-256 %s for good; these have %s: "
                 "give changed bytes another id",
                 binding->artifact_id, bound, other),
        "checksum");
}

kas_status kas_artifact_bind(kas_state *state, const char *artifact_id, const kas_sha256 *checksum,
                             kas_content **out)
{
    kas_binding *binding = kas_binding_find(state, artifact_id);
    if (binding && !kas_sha256_equal(&binding->content->checksum, checksum))
        return refuse_other_bytes(binding, checksum);
    if (!binding) {
        void *block;
        KAS_TRY(kas_undo_alloc(&state->undo, sizeof *binding, &block));
        binding = block;
        memcpy(binding->artifact_id, artifact_id, strlen(artifact_id) + 1);
        binding->kernel_id = kas_kernel_id(artifact_id);
        KAS_TRY(content_of(state, checksum, artifact_id, &binding->content));
        KAS_TRY(kas_map_insert(&state->bindings, &state->undo, &binding->by_id, hash_id(artifact_id)));
        KAS_TRY(kas_sorted_insert(&state->bindings_in_order, &state->undo, binding->artifact_id, binding));
    }
    *out = binding->content;
    return NULL;
}

kas_status kas_bind_artifact(kas_state *state, const kas_command *command)
{
    kas_content *content;
    KAS_TRY(kas_artifact_check_name(command->artifact_id));
    return kas_artifact_bind(state, command->artifact_id, &command->bind.checksum, &content);
}

/* ---- pins ---- */

kas_status kas_pin(kas_state *state, const kas_command *command, bool pinned)
{
    kas_binding *binding = kas_binding_find(state, command->artifact_id);
    if (!binding)
        return kas_fail(KAS_NOT_FOUND, CALLER,
                        "there is no artifact %s here: load, preload or upload it first",
                        command->artifact_id);
    if (binding->pinned == pinned) return NULL;
    kas_content *content = binding->content;
    KAS_TRY(kas_undo_save(&state->undo, &binding->pinned, sizeof binding->pinned));
    KAS_TRY(kas_content_edit(state, content));
    binding->pinned = pinned;
    content->pins += pinned ? 1u : -1u;
    for (kas_link *link = content->entries.next; link != &content->entries; link = link->next)
        KAS_TRY(kas_entry_settle(state, KAS_OWNER(link, kas_entry, of_content)));
    return NULL;
}

/* ---- quarantine ---- */

kas_status kas_artifact_check_quarantine(const kas_content *content)
{
    if (!content || !content->quarantined) return NULL;
    char checksum[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&content->checksum, checksum);
    return kas_with_reason(kas_fail(KAS_CONFLICT, CALLER,
                                    "artifact %s is in quarantine (%s); an operator can lift it: "
                                    "DELETE /v1/quarantine/%s",
                                    content->first_id, content->reason, checksum),
                           "quarantined");
}

kas_status kas_lift_quarantine(kas_state *state, const kas_command *command)
{
    kas_content *content = kas_content_find(state, &command->lift.checksum);
    if (!content || !content->quarantined) {
        char checksum[KAS_SHA256_HEX_SIZE];
        kas_sha256_hex(&command->lift.checksum, checksum);
        return kas_fail(KAS_NOT_FOUND, CALLER, "no kernel with SHA-256 %s is in quarantine", checksum);
    }
    KAS_TRY(kas_content_edit(state, content));
    content->quarantined = false;
    content->quarantined_at_ns = 0;
    content->reason[0] = 0;
    content->fault_count = 0;
    memset(content->faults_ns, 0, sizeof content->faults_ns);
    return NULL;
}
