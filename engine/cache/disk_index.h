/* What the disk tier knows of its files without looking at them: which blobs there are, and which files are
 * damaged. Any thread. */
#ifndef KAS_CACHE_DISK_INDEX_H
#define KAS_CACHE_DISK_INDEX_H

#include <kasmina/kasmina.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/hash.h"
#include "base/status.h"

typedef struct kas_disk_blob {
    kas_sha256 checksum;
    uint64_t size_bytes;
    bool recorded; /* a record says that it is there; false only while the records are read */
    bool damaged;  /* gone, or not what its name says */
} kas_disk_blob;

typedef struct kas_disk_index {
    pthread_mutex_t lock; /* guards all below */
    kas_disk_blob *blobs;
    size_t count, capacity;
    kas_sha256 *damaged_records; /* their names */
    size_t damaged_count, damaged_capacity;
    uint64_t hits, misses;
} kas_disk_index;

void kas_disk_index_init(kas_disk_index *index);
void kas_disk_index_finish(kas_disk_index *index);

/* ---- while the tier is loaded ---- */

/* A file of this name is there. */
kas_status kas_disk_index_list(kas_disk_index *index, const kas_sha256 *checksum) KAS_MUST_USE;
/* A record says that it is there; false in *listed: it is not, and counts as damaged. */
kas_status kas_disk_index_claim(kas_disk_index *index, const kas_sha256 *checksum, uint64_t size_bytes,
                                bool *listed) KAS_MUST_USE;
/* Takes out one that no record tells of; false: there is none. */
bool kas_disk_index_take_unrecorded(kas_disk_index *index, kas_sha256 *checksum);
kas_status kas_disk_index_note_damaged_record(kas_disk_index *index, const kas_sha256 *name) KAS_MUST_USE;
bool kas_disk_index_has_damaged_records(kas_disk_index *index);

/* ---- later ---- */

/* The file was written: it is there and whole. */
kas_status kas_disk_index_note(kas_disk_index *index, const kas_sha256 *checksum,
                               uint64_t size_bytes) KAS_MUST_USE;
void kas_disk_index_note_record(kas_disk_index *index, const kas_sha256 *name); /* likewise */
void kas_disk_index_note_damage(kas_disk_index *index, const kas_sha256 *checksum);
void kas_disk_index_forget(kas_disk_index *index, const kas_sha256 *checksum);

bool kas_disk_index_has(kas_disk_index *index, const kas_sha256 *checksum);
bool kas_disk_index_look_up(kas_disk_index *index, const kas_sha256 *checksum); /* counts a hit or a miss */
void kas_disk_index_stats(kas_disk_index *index, kas_tier_stats *out);
uint32_t kas_disk_index_damaged(kas_disk_index *index); /* blobs and records */

#endif
