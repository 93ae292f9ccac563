/* For backends: what a driver made once and would make again at some cost (compiled programs, pipelines),
 * kept on disk from one run to the next, in the folder that kas_device_use_cache_directory names.
 *
 * Losing any of it costs time and nothing else. So nothing here fails: what cannot be read, is not what was
 * written, or cannot be written counts as never stored, with a line of debug in the area "stored". Any
 * number of threads and processes may use one folder at once. */
#ifndef KAS_CORE_STORED_H
#define KAS_CORE_STORED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/hash.h"

/* The name of something stored: all that its content depends on (device, driver's version, source, options),
 * `count` pieces of any bytes. */
typedef struct kas_stored_part {
    const void *data;
    size_t size_bytes;
} kas_stored_part;
kas_sha256 kas_stored_key(const kas_stored_part *parts, size_t count);

/* Whether there is a folder: without one, nobody need make up a name or ask a driver for what to write. */
bool kas_stored_is_kept(void);
/* `kind` begins the file's name ("opencl", "vulkan"): letters only. True: *out is what was written last
 * under this name; the caller's to free. */
bool kas_stored_read(const char *kind, const kas_sha256 *key, kas_bytes *out);
/* Replaces what was there; what was longest unused goes when all of it becomes too much (256 MiB). */
void kas_stored_write(const char *kind, const kas_sha256 *key, const void *data, size_t size_bytes);

/* Since the process began. */
typedef struct kas_stored_counts {
    size_t hits, misses, writes;
} kas_stored_counts;
kas_stored_counts kas_stored_get_counts(void);

#endif
