/* A small TorchScript archive around code that a test or the fuzzer gives.
 *
 * The code is the file code/__torch__.py. The root is an object of its class Kernel, with the attributes
 * training (False), scale (0.5) and sizes ([3, 4]), the tensors weight [3, 12], bias [3], square [4, 4], gain
 * [12], mean [12], variance [12] (positive), and child, an object of the class __torch__.parts.Child with a
 * tensor gain [12], whose code is always the same. CONSTANTS.c0 is a double of rank 0, CONSTANTS.c1 a float32
 * tensor [12]. expect.py knows the values, too. */
#ifndef KAS_TESTS_SCRIPT_ARCHIVE_H
#define KAS_TESTS_SCRIPT_ARCHIVE_H

#include "engine/artifact/artifact.h"
#include "tests/artifact/zip_build.h"

/* With example_rows above 0 the archive holds an example of the input, of so many rows of 12 values, as
 * traced ones do. To be freed with zip_image_free; it is empty where memory runs out. */
zip_image script_archive(const void *code, size_t size_bytes, unsigned example_rows);

/* Decodes such an archive; limits may be NULL. */
kas_status script_decode(const void *code, size_t size_bytes, const kas_artifact_limits *limits,
                         kas_artifact *out) KAS_MUST_USE;

#endif
