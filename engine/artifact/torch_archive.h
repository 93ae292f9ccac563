/* What torch.save and torch.jit.save have in common: a zip with one root folder of any name, pickles, and
 * each storage's bytes as a record of its own. */
#ifndef KAS_ARTIFACT_TORCH_ARCHIVE_H
#define KAS_ARTIFACT_TORCH_ARCHIVE_H

#include "engine/artifact/pickle.h"
#include "engine/artifact/zip.h"

typedef struct kas_torch_archive {
    kas_zip zip;
    kas_span root; /* "archive/": the folder that data.pkl lies in */
    bool big_endian;
} kas_torch_archive;

/* Finds the root and the byte order. The archive's bytes and the arena must outlive `out`. Refuses what is no
 * zip, has no data.pkl, or has several roots. */
kas_status kas_torch_archive_open(const void *bytes, size_t size_bytes, kas_arena *arena,
                                  kas_torch_archive *out) KAS_MUST_USE;

/* Names of records are without the root: "data.pkl", "code/__torch__/m.py". */
bool kas_torch_archive_has(const kas_torch_archive *archive, kas_span name);
bool kas_torch_archive_has_folder(const kas_torch_archive *archive, const char *folder); /* "code/" */
/* The content, checked; "malformed" names a record that is missing. */
kas_status kas_torch_archive_read(kas_torch_archive *archive, kas_span name, kas_span *out) KAS_MUST_USE;
/* Reads and unpickles. */
kas_status kas_torch_archive_unpickle(kas_torch_archive *archive, const char *name, kas_pickle_policy policy,
                                      const kas_pickle_value **out) KAS_MUST_USE;

/* A tensor's values, row-major, whatever its strides; storages lie in `folder`: "data/" for data.pkl,
 * "constants/" for constants.pkl. The values are the caller's (kas_free) and are charged to the arena. A
 * tensor without elements gives a block that holds none. */
kas_status kas_torch_tensor_floats(kas_torch_archive *archive, const char *folder,
                                   const kas_pickle_tensor *tensor,
                                   float **out) KAS_MUST_USE; /* any number; all finite, or "not_finite" */
kas_status kas_torch_tensor_doubles(kas_torch_archive *archive, const char *folder,
                                    const kas_pickle_tensor *tensor,
                                    double **out) KAS_MUST_USE; /* any number, finite or not */
kas_status kas_torch_tensor_integers(kas_torch_archive *archive, const char *folder,
                                     const kas_pickle_tensor *tensor,
                                     int64_t **out) KAS_MUST_USE; /* integers and bools; others are refused */

#endif
