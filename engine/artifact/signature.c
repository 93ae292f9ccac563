#include "engine/artifact/signature.h"

#include <assert.h>
#include <nettle/eddsa.h>
#include <stdbool.h>
#include <string.h>

#include "engine/artifact/refuse.h"

static_assert(KAS_PUBLIC_KEY_SIZE == ED25519_KEY_SIZE && KAS_SIGNATURE_SIZE == ED25519_SIGNATURE_SIZE,
              "sizes as Nettle has them");

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Exactly 2·count digits. */
static bool parse_hex(const char *text, size_t length, uint8_t *out, size_t count)
{
    if (length != 2 * count) return false;
    for (size_t i = 0; i < count; ++i) {
        const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

kas_status kas_trusted_keys_parse(const char *text, kas_trusted_keys *out)
{
    static const char separators[] = ", \t\r\n";
    *out = (kas_trusted_keys){0};
    if (!text) return NULL;
    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        const size_t length = strcspn(text, separators);
        if (out->count == KAS_TRUSTED_KEYS_MAX)
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "more than %d trusted keys",
                            (int)KAS_TRUSTED_KEYS_MAX);
        if (!parse_hex(text, length, out->keys[out->count], KAS_PUBLIC_KEY_SIZE))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "trusted key %zu is not an Ed25519 public key of 64 hex digits", out->count + 1);
        ++out->count;
        text += length;
    }
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool read_signature(const char *bytes, size_t size, uint8_t out[KAS_SIGNATURE_SIZE])
{
    if (size == KAS_SIGNATURE_SIZE) {
        memcpy(out, bytes, KAS_SIGNATURE_SIZE);
        return true;
    }
    while (size && is_space(bytes[size - 1]))
        --size;
    for (; size && is_space(*bytes); --size)
        ++bytes;
    return parse_hex(bytes, size, out, KAS_SIGNATURE_SIZE);
}

kas_status kas_signature_check(const kas_trusted_keys *keys, const void *bytes, size_t size_bytes,
                               const void *signature, size_t signature_bytes)
{
    uint8_t given[KAS_SIGNATURE_SIZE];
    if (signature_bytes == 0)
        return kas_refuse(KAS_REASON_SIGNATURE,
                          "the artifact is unsigned: there is no signature beside it, and this "
                          "registry asks for one");
    if (!read_signature(signature, signature_bytes, given))
        return kas_refuse(KAS_REASON_SIGNATURE,
                          "the signature is malformed: %zu bytes, not 64 or their 128 hex digits",
                          signature_bytes);
    for (size_t i = 0; i < keys->count; ++i)
        if (ed25519_sha512_verify(keys->keys[i], size_bytes, bytes, given)) return NULL;
    return kas_refuse(KAS_REASON_SIGNATURE,
                      "the signature is wrong: none of the %zu trusted keys made it of these bytes",
                      keys->count);
}
