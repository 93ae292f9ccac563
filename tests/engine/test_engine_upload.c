/* Uploads that cannot be kept: nothing of them stays, and their id is free. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/control/engine.h"
#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_upload, .fini = expect_no_leaks);

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static size_t count_files(const char *data, const char *kind)
{
    char path[128];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/artifacts/%s", data, kind);
    DIR *folder = opendir(path);
    cr_assert_not_null(folder);
    while (readdir(folder))
        ++count;
    closedir(folder);
    return count - 2; /* "." and ".." */
}

/* Records of artifacts that there are not. */
static void fill_catalog(kas_engine *engine, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        kas_record fields = {.metadata = KAS_METADATA_ABSENT, .checksum = kas_sha256_of(&i, sizeof i)};
        const kas_record *record;
        snprintf(fields.artifact_id, sizeof fields.artifact_id, "r%zu", i);
        ok(kas_record_create(&fields, &record));
        ok(kas_catalog_put(engine->catalog, record));
        kas_record_release(record);
    }
}

static void refuse_put(kas_engine *engine, const char *id, artifact_bytes artifact, const char *part)
{
    kas_request request = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    request.artifact_id = id;
    request.put_kernel.bytes = artifact.bytes;
    request.put_kernel.size_bytes = artifact.size;
    must_fail(engine, &request, KAS_NO_ROOM, part);
    free(artifact.bytes);
}

static void evict(kas_engine *engine, const char *id)
{
    kas_request request = request_of(KAS_REQUEST_EVICT_KERNEL, NULL, 0);
    request.artifact_id = id;
    must_call(engine, &request);
}

Test(engine_upload, a_full_catalog_keeps_nothing_of_what_it_refuses)
{
    char data[] = "/tmp/kasmina-upload-XXXXXX";
    cr_assert_not_null(mkdtemp(data));
    kas_engine *engine = open_engine(&(kas_engine_options){.data_dir = data});
    put_kernel(engine, "known", onnx_product(FEATURES, 2, 1));
    fill_catalog(engine, KAS_CATALOG_MAX - 1);
    refuse_put(engine, "new", onnx_product(FEATURES, 3, 1), "65536 artifacts are known");
    cr_expect_eq(count_files(data, "blobs"), 1);
    cr_expect_eq(count_files(data, "records"), 1);
    put_kernel(engine, "known", onnx_product(FEATURES, 2, 1)); /* takes no room */
    evict(engine, "r0");
    put_kernel(engine, "new", onnx_product(FEATURES, 4, 1)); /* other bytes than before */
    cr_expect_eq(count_files(data, "blobs"), 2);
    kas_engine_destroy(engine);
    engine = open_engine(&(kas_engine_options){.data_dir = data});
    create_layer(engine, "a", 1, 1, 0);
    load(engine, "a", 0, "new", 1);
    expect_line(engine, "a", 4, 1);
    kas_engine_destroy(engine);
    cr_expect_eq(nftw(data, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Without a data folder the host tier has the only copy, and as many as it has entries. */
Test(engine_upload, a_full_host_tier_leaves_the_id_free)
{
    kas_engine *engine = open_engine(NULL);
    char id[16];
    for (int i = 0; i < 1024; ++i) {
        snprintf(id, sizeof id, "k%d", i);
        put_kernel(engine, id, onnx_product(FEATURES, (float)i, 1));
    }
    refuse_put(engine, "new", onnx_product(FEATURES, -1, 1), "the host tier cannot keep");
    evict(engine, "k0");
    put_kernel(engine, "new", onnx_product(FEATURES, -2, 1)); /* other bytes than before */
    kas_engine_destroy(engine);
}
