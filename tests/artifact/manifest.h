/* The manifest of the shared reference data ($KASMINA_SHARED/data/manifest.json): what each artifact is and
 * how loading it must end. */
#ifndef KAS_TESTS_MANIFEST_H
#define KAS_TESTS_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "engine/graph/graph.h"

enum { MANIFEST_MAX_REASONS = 32 };

typedef enum manifest_expectation {
    EXPECT_LOAD = 0,
    EXPECT_REFUSE,
    EXPECT_LOAD_OR_REFUSE,
    EXPECT_LOAD_FAIL_RUN,
    EXPECT_REFUSE_OR_FAIL_RUN,
} manifest_expectation;

/* Texts belong to the manifest. */
typedef struct manifest_entry {
    const char *id, *path, *format;
    manifest_expectation expect;
    kas_shape input, output;      /* of one row, or of the layer that the artifact is offered to */
    const char *artifact;         /* of metadata: the kernel that it speaks of; NULL otherwise */
    const char *run_input;        /* rows that it is run with; NULL: none are given */
    const char *reference_output; /* NULL: not to be compared */
    size_t rows;
    double atol, rtol;
    const char *reasons[MANIFEST_MAX_REASONS]; /* a refusal holds one of them */
    size_t reason_count;
    size_t nonfinite_rows;  /* of a run that must fail */
    size_t parameter_count; /* 0: not said */
} manifest_entry;

typedef struct manifest_file {
    const char *folder;
    json_t *root;
    manifest_entry *entries;
    size_t count;
} manifest_file;

/* Skips the running test, saying so, where there is no shared data. */
manifest_file manifest_open(void);
void manifest_close(manifest_file *manifest);

/* A file of the data; ends the test where it cannot be read. */
kas_bytes manifest_read(const manifest_file *manifest, const char *path);

#endif
