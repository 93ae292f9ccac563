/* The embedded registry: names of files, and reading them. */
#include "engine/registry/embedded.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const endings[] = {".onnx", ".pt", ".pth", ".safetensors", ".bin"};

/* Percent-encodes all but RFC 3986's unreserved characters; false when it does not fit. */
static bool encode(const char *id, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (; *id; ++id) {
        unsigned char byte = (unsigned char)*id;
        if (used + 4 > size) return false;
        if (isalnum(byte) || strchr("-._~", byte)) {
            out[used++] = (char)byte;
            continue;
        }
        out[used++] = '%';
        out[used++] = digits[byte >> 4];
        out[used++] = digits[byte & 15];
    }
    out[used] = 0;
    return true;
}

static kas_status read_named(const kas_files *files, const char *folder, const char *name, size_t max_bytes,
                             kas_bytes *out)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s: the path is too long", folder);
    return files->read(files->self, path, max_bytes, out);
}

/* Not there: an empty *out and success. */
static kas_status read_optional(const kas_files *files, const char *folder, const char *name,
                                size_t max_bytes, kas_bytes *out, bool *found)
{
    kas_status status = read_named(files, folder, name, max_bytes, out);
    *found = !status;
    if (kas_status_code(status) != KAS_NOT_FOUND) return status;
    kas_status_free(status);
    return NULL;
}

static kas_status stop_at_first(void *user, const char *name)
{
    (void)name;
    *(bool *)user = true;
    return kas_fail(KAS_CANCELLED, CALLER, "one is enough");
}

/* A registry that is gone is not one without the artifact: a disk may have to be mounted. */
static kas_status check_folder(const kas_files *files, const char *folder)
{
    bool has_files = false;
    kas_status status = files->list(files->self, folder, stop_at_first, &has_files);
    bool gone = !has_files && kas_status_code(status) == KAS_NOT_FOUND;
    kas_status_free(status);
    if (!gone) return NULL;
    return kas_fail(KAS_UNAVAILABLE, ENGINE,
                    "the artifact folder %s is not there: mount it, or start with another --artifact-dir",
                    folder);
}

static kas_status fetch_bytes(const kas_files *files, const char *folder, const char *encoded,
                              size_t max_bytes, kas_embedded_artifact *out)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
        bool found;
        snprintf(out->name, sizeof out->name, "%s%s", encoded, endings[i]);
        KAS_TRY(read_optional(files, folder, out->name, max_bytes, &out->bytes, &found));
        if (found) return NULL;
    }
    KAS_TRY(check_folder(files, folder));
    return kas_fail(KAS_NOT_FOUND, CALLER,
                    "no %s.onnx, .pt, .pth, .safetensors or .bin in the artifact folder %s", encoded, folder);
}

static kas_status fetch_beside(const kas_files *files, const char *folder, const char *encoded,
                               bool with_signature, kas_embedded_artifact *out)
{
    char name[sizeof out->name + 8];
    bool found;
    snprintf(name, sizeof name, "%s.json", encoded);
    KAS_TRY(read_optional(files, folder, name, KAS_EMBEDDED_METADATA_MAX, &out->metadata, &found));
    if (!with_signature) return NULL;
    snprintf(name, sizeof name, "%s.sig", out->name);
    return read_optional(files, folder, name, KAS_SIGNATURE_FILE_MAX, &out->signature, &found);
}

kas_status kas_embedded_fetch(const kas_files *files, const char *folder, const char *artifact_id,
                              size_t max_bytes, bool with_signature, kas_embedded_artifact *out)
{
    *out = (kas_embedded_artifact){0};
    char encoded[3 * 128 + 4];
    if (!encode(artifact_id, encoded, sizeof encoded))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the artifact id is longer than 128 characters");
    KAS_TRY(fetch_bytes(files, folder, encoded, max_bytes, out));
    kas_status status = fetch_beside(files, folder, encoded, with_signature, out);
    if (status) kas_embedded_finish(out);
    return status;
}

void kas_embedded_finish(kas_embedded_artifact *artifact)
{
    kas_bytes_free(&artifact->bytes);
    kas_bytes_free(&artifact->metadata);
    kas_bytes_free(&artifact->signature);
}
