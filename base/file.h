/* Whole files: reading with a bound, and writing so that a crash leaves the old content or the new. */
#ifndef KAS_BASE_FILE_H
#define KAS_BASE_FILE_H

#include <stddef.h>

#include "base/status.h"

typedef struct kas_bytes {
    unsigned char *data; /* owned; kas_bytes_free */
    size_t size;
} kas_bytes;

void kas_bytes_free(kas_bytes *bytes); /* accepts empty */

/* KAS_NOT_FOUND when there is no such file, KAS_TOO_LARGE beyond max_bytes, KAS_IO otherwise. */
kas_status kas_file_read(const char *path, size_t max_bytes, kas_bytes *out) KAS_MUST_USE;

/* Writes to a temporary name beside `path`, fsyncs it, renames, fsyncs the folder. */
kas_status kas_file_replace(const char *path, const void *data, size_t size_bytes) KAS_MUST_USE;

/* Unlinks it and fsyncs the folder; one that is not there is fine. */
kas_status kas_file_remove(const char *path) KAS_MUST_USE;

/* Makes a folder and those above it (mode 0700 for new ones); an existing one is fine. */
kas_status kas_make_folders(const char *path) KAS_MUST_USE;

#endif
