/* Where files live, as the engine sees it: the few calls it makes, so that a simulation can put a faulty disk
 * in their place. Paths are as the operating system takes them. Any thread. */
#ifndef KAS_CACHE_FILES_H
#define KAS_CACHE_FILES_H

#include "base/file.h"

/* A file's name within its folder. A failure ends the listing and is its result. */
typedef kas_status (*kas_file_visit)(void *user, const char *name);

typedef struct kas_files {
    /* Each as the function of the same purpose in base/file.h. */
    kas_status (*read)(void *self, const char *path, size_t max_bytes, kas_bytes *out);
    kas_status (*replace)(void *self, const char *path, const void *data, size_t size_bytes);
    kas_status (*make_folders)(void *self, const char *path);
    kas_status (*remove)(void *self, const char *path); /* one that is not there: success */
    /* Regular files only, in no order, without those whose name begins with a dot. KAS_NOT_FOUND: no such
     * folder. */
    kas_status (*list)(void *self, const char *folder, kas_file_visit visit, void *user);
    void *self;
} kas_files;

extern const kas_files kas_os_files; /* the operating system's */

#endif
