#include "base/hash.h"

#include <string.h>

kas_sha256 kas_sha256_of(const void *data, size_t size_bytes)
{
    struct sha256_ctx context;
    kas_sha256 digest;
    sha256_init(&context);
    sha256_update(&context, size_bytes, data);
    sha256_digest(&context, sizeof digest.bytes, digest.bytes);
    return digest;
}

bool kas_sha256_equal(const kas_sha256 *a, const kas_sha256 *b)
{
    return memcmp(a->bytes, b->bytes, KAS_SHA256_SIZE) == 0;
}

void kas_sha256_hex(const kas_sha256 *digest, char out[KAS_SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < KAS_SHA256_SIZE; ++i) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    out[2 * KAS_SHA256_SIZE] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool kas_sha256_parse(const char *hex, kas_sha256 *out)
{
    kas_sha256 digest;
    for (int i = 0; i < KAS_SHA256_SIZE; ++i) {
        int high = nibble(hex[2 * i]);
        int low = high < 0 ? -1 : nibble(hex[2 * i + 1]);
        if (low < 0) return false;
        digest.bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (hex[2 * KAS_SHA256_SIZE]) return false;
    *out = digest;
    return true;
}

uint64_t kas_kernel_id(const char *artifact_id)
{
    kas_sha256 digest = kas_sha256_of(artifact_id, strlen(artifact_id));
    uint64_t id = 0;
    for (int i = 0; i < 8; ++i)
        id = id << 8 | digest.bytes[i];
    return id ? id : 1;
}

uint32_t kas_crc32c(uint32_t crc, const void *data, size_t size_bytes)
{
    const uint8_t *at = data;
    crc = ~crc;
    for (size_t i = 0; i < size_bytes; ++i) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; ++bit)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

uint64_t kas_fnv1a(const void *data, size_t size_bytes)
{
    const uint8_t *at = data;
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < size_bytes; ++i)
        hash = (hash ^ at[i]) * 0x100000001b3ull;
    return hash;
}
