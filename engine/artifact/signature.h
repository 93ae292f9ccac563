/* Detached Ed25519 signatures (RFC 8032) over an artifact's bytes: who made an artifact, where its checksum
 * only says that it is the same. Verified by Nettle. Any thread. */
#ifndef KAS_ARTIFACT_SIGNATURE_H
#define KAS_ARTIFACT_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    KAS_PUBLIC_KEY_SIZE = 32,
    KAS_SIGNATURE_SIZE = 64,
    KAS_SIGNATURE_FILE_MAX = 256, /* bytes of a file that holds one */
    KAS_TRUSTED_KEYS_MAX = 32,
};

typedef struct kas_trusted_keys {
    uint8_t keys[KAS_TRUSTED_KEYS_MAX][KAS_PUBLIC_KEY_SIZE];
    size_t count; /* 0: signatures are not asked for */
} kas_trusted_keys;

/* Keys of 64 hex digits each, separated by commas or white space; NULL or "": none. KAS_INVALID_ARGUMENT. */
kas_status kas_trusted_keys_parse(const char *text, kas_trusted_keys *out) KAS_MUST_USE;

/* Success where one of the keys made this signature of these bytes. `signature` is what a file of it holds:
 * 64 bytes, or 128 hex digits with white space around them; empty: there is none. KAS_INVALID_ARTIFACT,
 * reason "signature". */
kas_status kas_signature_check(const kas_trusted_keys *keys, const void *bytes, size_t size_bytes,
                               const void *signature, size_t signature_bytes) KAS_MUST_USE;

#endif
