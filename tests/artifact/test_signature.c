/* Ed25519 as in RFC 8032, section 7.1, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "engine/artifact/signature.h"

TestSuite(signature);

typedef struct vector {
    const char *key, *message, *signature; /* hex */
} vector;

static const vector vectors[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f"
     "0595bbe246"
     "55141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2ea"
     "eb4302aeeb"
     "00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e"
     "9716ed28dc"
     "027beceea1ec40a"},
};

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t count = 0;
    for (; *hex; hex += 2)
        cr_assert_eq(sscanf(hex, "%2hhx", &out[count++]), 1);
    return count;
}

static kas_status check(const char *keys, const void *message, size_t size, const void *signature,
                        size_t signature_bytes)
{
    kas_trusted_keys trusted;
    cr_assert_null(kas_trusted_keys_parse(keys, &trusted));
    return kas_signature_check(&trusted, message, size, signature, signature_bytes);
}

static void expect_refused(kas_status status, const char *part)
{
    cr_assert_not_null(status);
    cr_expect_str_eq(kas_status_reason(status), "signature");
    cr_expect_not_null(strstr(kas_status_message(status), part), "%s", kas_status_message(status));
    kas_status_free(status);
}

Test(signature, vectors_of_the_rfc)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; ++i) {
        unsigned char message[2], raw[64];
        const size_t size = from_hex(vectors[i].message, message);
        from_hex(vectors[i].signature, raw);
        cr_expect_null(check(vectors[i].key, message, size, raw, sizeof raw), "%zu", i);
        cr_expect_null(check(vectors[i].key, message, size, vectors[i].signature, 128), "%zu", i);
    }
}

Test(signature, any_of_the_keys)
{
    char keys[256], text[140];
    snprintf(keys, sizeof keys, " %s,\n%s ", vectors[0].key, vectors[1].key);
    snprintf(text, sizeof text, "\n%s\r\n", vectors[1].signature);
    cr_expect_null(check(keys, "\x72", 1, text, strlen(text)));
}

Test(signature, every_bit_counts)
{
    unsigned char raw[64], message[2] = {0xaf, 0x82};
    from_hex(vectors[2].signature, raw);
    for (size_t bit = 0; bit < 512; ++bit) {
        raw[bit / 8] ^= (unsigned char)(1u << bit % 8);
        expect_refused(check(vectors[2].key, message, 2, raw, sizeof raw), "the signature is wrong");
        raw[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 16; ++bit) {
        message[bit / 8] ^= (unsigned char)(1u << bit % 8);
        expect_refused(check(vectors[2].key, message, 2, raw, sizeof raw), "the signature is wrong");
        message[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    expect_refused(check(vectors[2].key, message, 1, raw, sizeof raw), "the signature is wrong");
    expect_refused(check(vectors[1].key, message, 2, raw, sizeof raw), "none of the 1 trusted keys");
    cr_expect_null(check(vectors[2].key, message, 2, raw, sizeof raw));
}

Test(signature, malformed)
{
    expect_refused(check(vectors[0].key, "", 0, "", 0), "unsigned");
    expect_refused(check(vectors[0].key, "", 0, vectors[0].signature, 63), "63 bytes, not 64");
    expect_refused(check(vectors[0].key, "", 0, vectors[0].signature, 127), "malformed");
    expect_refused(check(vectors[0].key, "", 0, " ", 1), "malformed");
}

static void expect_bad_keys(const char *text, const char *message)
{
    kas_trusted_keys keys;
    kas_status status = kas_trusted_keys_parse(text, &keys);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARGUMENT);
    cr_expect_str_eq(kas_status_message(status), message);
    kas_status_free(status);
}

Test(signature, keys)
{
    kas_trusted_keys keys;
    char many[33 * 65 + 1] = "", bad[256];
    cr_expect_null(kas_trusted_keys_parse(NULL, &keys));
    cr_expect_eq(keys.count, 0);
    cr_expect_null(kas_trusted_keys_parse(" , ", &keys));
    cr_expect_eq(keys.count, 0);
    for (int i = 0; i < 32; ++i) {
        strcat(many, vectors[0].key);
        strcat(many, ",");
    }
    cr_expect_null(kas_trusted_keys_parse(many, &keys));
    cr_expect_eq(keys.count, 32);
    strcat(many, vectors[0].key);
    expect_bad_keys(many, "more than 32 trusted keys");
    snprintf(bad, sizeof bad, "%s, %.63sg", vectors[0].key, vectors[0].key);
    expect_bad_keys(bad, "trusted key 2 is not an Ed25519 public key of 64 hex digits");
    expect_bad_keys("d75a", "trusted key 1 is not an Ed25519 public key of 64 hex digits");
}
