/* A record as the text of a file of the disk tier. */
#ifndef KAS_CACHE_DISK_RECORD_H
#define KAS_CACHE_DISK_RECORD_H

#include "engine/cache/record.h"

/* Freed with kas_free. */
kas_status kas_disk_record_text(const kas_record *record, char **text, size_t *size_bytes) KAS_MUST_USE;
/* KAS_MALFORMED when it is not what kas_disk_record_text wrote. */
kas_status kas_disk_record_parse(const void *text, size_t size_bytes, const kas_record **out) KAS_MUST_USE;

#endif
