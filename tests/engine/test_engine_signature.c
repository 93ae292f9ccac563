/* A registry that asks for signatures: what is signed by a trusted key loads, all else is refused. */
#include <criterion/criterion.h>
#include <nettle/eddsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/engine/engine_world.h"

TestSuite(engine_signature);

static char folder[] = "/tmp/kasmina-signature-XXXXXX";

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ok(kas_file_replace(path, bytes, size));
}

static void remove_files(void)
{
    const char *const names[] = {"signed.onnx", "signed.onnx.sig", "unsigned.onnx", "changed.onnx",
                                 "changed.onnx.sig"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    remove(folder);
}

/* Three kernels of the same bytes; the signature of one is of other bytes. Gives the key in hex. */
static void make_registry(char key_text[2 * ED25519_KEY_SIZE + 1])
{
    uint8_t secret[ED25519_KEY_SIZE] = {7}, key[ED25519_KEY_SIZE], signature[ED25519_SIGNATURE_SIZE];
    artifact_bytes kernel = onnx_product(FEATURES, 3, 1);
    cr_assert_not_null(mkdtemp(folder));
    ed25519_sha512_public_key(key, secret);
    ed25519_sha512_sign(key, secret, kernel.size, kernel.bytes, signature);
    write_file("signed.onnx", kernel.bytes, kernel.size);
    write_file("signed.onnx.sig", signature, sizeof signature);
    write_file("unsigned.onnx", kernel.bytes, kernel.size);
    write_file("changed.onnx", kernel.bytes, kernel.size);
    ed25519_sha512_sign(key, secret, kernel.size - 1, kernel.bytes, signature);
    write_file("changed.onnx.sig", signature, sizeof signature);
    for (size_t i = 0; i < sizeof key; ++i)
        snprintf(key_text + 2 * i, 3, "%02x", key[i]);
    free(kernel.bytes);
}

Test(engine_signature, asked_for, .fini = remove_files)
{
    char key[2 * ED25519_KEY_SIZE + 1];
    make_registry(key);
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = folder, .trusted_keys = key});
    create_layer(engine, "l", 2, 1, 0);
    cr_expect_eq(try_load(engine, "l", 0, "unsigned", 1), KAS_INVALID_ARTIFACT);
    cr_expect_eq(try_load(engine, "l", 0, "changed", 1), KAS_INVALID_ARTIFACT);
    load(engine, "l", 0, "signed", 1);
    expect_line(engine, "l", 3, 1);
    kas_engine_destroy(engine);
}

Test(engine_signature, not_asked_for, .fini = remove_files)
{
    char key[2 * ED25519_KEY_SIZE + 1];
    make_registry(key);
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = folder});
    create_layer(engine, "l", 2, 1, 0);
    load(engine, "l", 0, "unsigned", 1);
    load(engine, "l", 1, "changed", 0);
    expect_line(engine, "l", 3, 1);
    kas_engine_destroy(engine);
}

Test(engine_signature, keys_that_are_none)
{
    kas_engine *engine;
    const kas_engine_options options = {.size = sizeof options, .device = "host:0", .trusted_keys = "abc"};
    expect_failure(kas_engine_create(&options, &engine), KAS_INVALID_ARGUMENT,
                   "trusted key 1 is not an Ed25519");
}
