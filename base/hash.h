/* Digests: SHA-256 (names and checksums of artifacts; computed by Nettle) and CRC-32C (control fields). */
#ifndef KAS_BASE_HASH_H
#define KAS_BASE_HASH_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KAS_SHA256_SIZE = 32, KAS_SHA256_HEX_SIZE = 65 };

typedef struct kas_sha256 {
    uint8_t bytes[KAS_SHA256_SIZE];
} kas_sha256;

kas_sha256 kas_sha256_of(const void *data, size_t size_bytes);
bool kas_sha256_equal(const kas_sha256 *a, const kas_sha256 *b);
void kas_sha256_hex(const kas_sha256 *digest, char out[KAS_SHA256_HEX_SIZE]); /* lower case, NUL-terminated */
bool kas_sha256_parse(const char *hex, kas_sha256 *out); /* exactly 64 hex digits of either case */

/* The kernel id of an artifact: the first 8 bytes, big-endian, of SHA-256 of its id (never 0). */
uint64_t kas_kernel_id(const char *artifact_id);

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), continuing from `crc` (0 to start). */
uint32_t kas_crc32c(uint32_t crc, const void *data, size_t size_bytes);

/* FNV-1a, 64 bits: for in-memory tables only. */
uint64_t kas_fnv1a(const void *data, size_t size_bytes);

#endif
