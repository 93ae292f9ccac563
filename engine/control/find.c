/* The way down the tiers. */
#include "engine/control/find.h"

#include <stdio.h>

#include "base/log.h"
#include "engine/registry/embedded.h"

void kas_found_finish(kas_found *found)
{
    kas_decoded_release(found->decoded);
    kas_record_release(found->record);
    *found = (kas_found){0};
}

static void tell(const kas_finding *finding, kas_stage stage, kas_tier tier, uint64_t done, uint64_t total)
{
    if (finding) finding->progress(finding->user, stage, tier, done, total);
}

static kas_status check_cancelled(const kas_finding *finding, const char *artifact_id)
{
    if (!finding || !finding->cancelled(finding->user)) return NULL;
    return kas_fail(KAS_CANCELLED, CALLER, "loading %s was cancelled", artifact_id);
}

static kas_status check_bound(const char *artifact_id, const kas_sha256 *bound, const kas_sha256 *found)
{
    if (!bound || kas_sha256_equal(bound, found)) return NULL;
    char want[KAS_SHA256_HEX_SIZE], got[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(bound, want);
    kas_sha256_hex(found, got);
    return kas_with_reason(
        kas_fail(KAS_CONFLICT, CALLER,
                 "artifact %s is bound to SHA-256 %s for good, but the registry now has %s; give the "
                 "new artifact another id",
                 artifact_id, want, got),
        "checksum");
}

static kas_status decode(kas_engine *engine, const kas_bytes *bytes, const char *name, kas_decoded **out)
{
    kas_artifact artifact = {0};
    KAS_TRY(kas_artifact_decode(bytes->data, bytes->size, name, &engine->limits, &artifact));
    kas_status status = kas_decoded_create(&artifact, out);
    if (status) kas_artifact_finish(&artifact);
    return status;
}

/* ---- records ---- */

static kas_status make_record(kas_engine *engine, const char *artifact_id, kas_metadata *metadata,
                              const kas_artifact *artifact, bool uploaded, const kas_record **out)
{
    KAS_TRY(kas_metadata_complete(metadata, artifact, artifact_id));
    kas_record record = {
        .checksum = artifact->checksum,
        .size_bytes = artifact->size_bytes,
        .metadata = *metadata,
        .uploaded = uploaded,
        .seen_ns = kas_engine_wall(engine),
    };
    snprintf(record.artifact_id, sizeof record.artifact_id, "%s", artifact_id);
    snprintf(record.format, sizeof record.format, "%s", kas_format_name(artifact->format));
    KAS_TRY(kas_record_create(&record, out));
    *metadata = (kas_metadata){0}; /* the record's now */
    return NULL;
}

kas_status kas_find_derive(kas_engine *engine, const char *artifact_id, const kas_artifact *artifact,
                           bool uploaded, const kas_record **out)
{
    kas_metadata metadata = KAS_METADATA_ABSENT;
    kas_status status = make_record(engine, artifact_id, &metadata, artifact, uploaded, out);
    kas_metadata_finish(&metadata);
    return status;
}

/* ---- tiers ---- */

static kas_status find_on_disk(kas_engine *engine, const kas_record *record, const kas_finding *finding,
                               kas_found *out)
{
    kas_bytes bytes;
    tell(finding, KAS_STAGE_FETCH, KAS_TIER_DISK, 0, record->size_bytes);
    KAS_TRY(kas_disk_tier_read(engine->disk, &record->checksum, engine->limits.file_bytes, &bytes));
    tell(finding, KAS_STAGE_DECODE, KAS_TIER_DISK, bytes.size, bytes.size);
    kas_status status = decode(engine, &bytes, NULL, &out->decoded);
    kas_bytes_free(&bytes);
    KAS_TRY(status);
    out->record = kas_record_retain(record);
    out->tier = KAS_TIER_DISK;
    return NULL;
}

/* The record's bytes in a tier of this machine; success without out->decoded: not there. */
static kas_status find_recorded(kas_engine *engine, const kas_record *record, const kas_finding *finding,
                                kas_found *out)
{
    tell(finding, KAS_STAGE_LOOKUP, KAS_TIER_HOST, 0, 0);
    out->decoded = kas_host_tier_find(engine->host, &record->checksum);
    if (out->decoded) {
        out->record = kas_record_retain(record);
        out->tier = KAS_TIER_HOST;
        return NULL;
    }
    if (!engine->disk || !record->uploaded) return NULL;
    return find_on_disk(engine, record, finding, out);
}

static kas_status parse_claim(const kas_embedded_artifact *fetched, kas_metadata *out)
{
    if (!fetched->metadata.size) return NULL;
    return kas_metadata_parse((const char *)fetched->metadata.data, fetched->metadata.size, out);
}

static kas_status decode_fetched(kas_engine *engine, const char *artifact_id,
                                 const kas_embedded_artifact *fetched, const kas_finding *finding,
                                 kas_found *out)
{
    size_t size_bytes = fetched->bytes.size;
    tell(finding, KAS_STAGE_DECODE, KAS_TIER_REGISTRY, size_bytes, size_bytes);
    KAS_TRY(decode(engine, &fetched->bytes, fetched->name, &out->decoded));
    kas_metadata metadata = KAS_METADATA_ABSENT;
    kas_status status = parse_claim(fetched, &metadata);
    if (!status)
        status = make_record(engine, artifact_id, &metadata, kas_decoded_artifact(out->decoded), false,
                             &out->record);
    kas_metadata_finish(&metadata);
    out->tier = KAS_TIER_REGISTRY;
    return status;
}

/* Bound bytes are verified before anything reads them; those of a new id are hashed as they are decoded. */
static kas_status verify_fetched(const char *artifact_id, const kas_sha256 *checksum,
                                 const kas_embedded_artifact *fetched, const kas_finding *finding)
{
    if (!checksum) return NULL;
    tell(finding, KAS_STAGE_VERIFY, KAS_TIER_REGISTRY, fetched->bytes.size, fetched->bytes.size);
    kas_sha256 found = kas_sha256_of(fetched->bytes.data, fetched->bytes.size);
    return check_bound(artifact_id, checksum, &found);
}

static kas_status verify_signature(const kas_engine *engine, const char *artifact_id,
                                   const kas_embedded_artifact *fetched)
{
    if (engine->trusted_keys.count == 0) return NULL;
    return kas_annotate(kas_signature_check(&engine->trusted_keys, fetched->bytes.data, fetched->bytes.size,
                                            fetched->signature.data, fetched->signature.size),
                        "artifact %s", artifact_id);
}

static kas_status find_in_registry(kas_engine *engine, const char *artifact_id, const kas_sha256 *checksum,
                                   const kas_finding *finding, kas_found *out)
{
    if (!engine->artifact_dir)
        return kas_fail(KAS_NOT_FOUND, CALLER,
                        "there is no artifact %s: it was not uploaded and no registry is configured",
                        artifact_id);
    kas_embedded_artifact fetched;
    tell(finding, KAS_STAGE_FETCH, KAS_TIER_REGISTRY, 0, 0);
    KAS_TRY(
        kas_annotate(kas_embedded_fetch(engine->env.files, engine->artifact_dir, artifact_id,
                                        engine->limits.file_bytes, engine->trusted_keys.count > 0, &fetched),
                     "artifact %s", artifact_id));
    kas_status status = check_cancelled(finding, artifact_id);
    if (!status) status = verify_signature(engine, artifact_id, &fetched);
    if (!status) status = verify_fetched(artifact_id, checksum, &fetched, finding);
    if (!status) status = decode_fetched(engine, artifact_id, &fetched, finding, out);
    kas_embedded_finish(&fetched);
    return status;
}

static kas_status find_anywhere(kas_engine *engine, const char *artifact_id, const kas_sha256 *checksum,
                                const kas_finding *finding, kas_found *out)
{
    const kas_record *record = kas_catalog_find(engine->catalog, artifact_id);
    kas_status status = NULL;
    if (record && (!checksum || kas_sha256_equal(checksum, &record->checksum)))
        status = find_recorded(engine, record, finding, out);
    kas_record_release(record);
    if (status || out->decoded) return status;
    return find_in_registry(engine, artifact_id, checksum, finding, out);
}

/* Keeping it for the next time is a favour: when memory is out, it is not kept. */
static void keep(kas_engine *engine, kas_decoded *decoded)
{
    kas_status status = kas_host_tier_put(engine->host, decoded, false);
    if (!status) return;
    kas_debug("cache", "not kept in the host tier: %s", kas_status_message(status));
    kas_status_free(status);
}

kas_status kas_find(kas_engine *engine, const char *artifact_id, const kas_sha256 *checksum,
                    const kas_finding *finding, kas_found *out)
{
    *out = (kas_found){0};
    kas_status status = find_anywhere(engine, artifact_id, checksum, finding, out);
    if (!status) status = check_cancelled(finding, artifact_id);
    if (status) {
        kas_found_finish(out);
        return status;
    }
    if (out->tier != KAS_TIER_HOST) keep(engine, out->decoded);
    return NULL;
}

/* ---- facts ---- */

static uint32_t product(const kas_shape *shape)
{
    size_t elements;
    return kas_shape_elements(shape, &elements) ? (uint32_t)elements : 0;
}

static uint32_t required_kinds(const kas_metadata *metadata)
{
    uint32_t required = 0;
    for (size_t i = 0; i < metadata->device_requirement_count; ++i)
        required |= kas_kinds_required(metadata->device_requirements[i]);
    return required;
}

void kas_find_facts(const kas_metadata *metadata, kas_kernel_facts *out)
{
    *out = (kas_kernel_facts){
        .input_size = product(&metadata->input_shape),
        .output_size = product(&metadata->output_shape),
        .parameter_count = metadata->parameter_count,
        .memory_footprint_mb = metadata->memory_footprint_mb,
        .device_kinds = required_kinds(metadata),
        .confidence = (float)metadata->confidence,
        .score = (float)metadata->score,
    };
    kas_shape_text(&metadata->input_shape, out->input_shape, sizeof out->input_shape);
    kas_shape_text(&metadata->output_shape, out->output_shape, sizeof out->output_shape);
}
