/* The embedded registry: a folder that holds, for an artifact id, a file `ID` with one of the endings .onnx
 * .pt .pth .safetensors .bin, and `ID.json` with its metadata (which may be absent). Ids are percent-encoded
 * as in a URL. The folder is looked into at each call. Any thread. */
#ifndef KAS_REGISTRY_EMBEDDED_H
#define KAS_REGISTRY_EMBEDDED_H

#include <stdbool.h>

#include "engine/artifact/signature.h"
#include "engine/cache/files.h"

enum { KAS_EMBEDDED_METADATA_MAX = 1 << 20 }; /* bytes of ID.json */

typedef struct kas_embedded_artifact {
    kas_bytes bytes;
    kas_bytes metadata;          /* empty: there is no ID.json */
    kas_bytes signature;         /* empty: not asked for, or there is no ID.onnx.sig (or .pt.sig …) */
    char name[8 + 3 * 128 + 16]; /* of the file: helps to guess the format */
} kas_embedded_artifact;

/* KAS_UNAVAILABLE: the folder is not there; KAS_NOT_FOUND names it and what was looked for; KAS_TOO_LARGE
 * beyond max_bytes. */
kas_status kas_embedded_fetch(const kas_files *files, const char *folder, const char *artifact_id,
                              size_t max_bytes, bool with_signature, kas_embedded_artifact *out) KAS_MUST_USE;
void kas_embedded_finish(kas_embedded_artifact *artifact); /* accepts empty */

#endif
