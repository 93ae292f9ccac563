/* Embeds Kasmina's engine in a program: classifies handwritten digits by a weak layer, then grafts a better
 * kernel into one of its seeds while it goes on answering.
 *
 *     cc embed.c $(pkg-config --cflags --libs kasmina) -o embed
 *     ./embed ../digits
 *
 * The folder holds what examples/digits does: base.safetensors, images.f32, labels.u8 and artifacts/. */
#include <kasmina/kasmina.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIXELS = 64, CLASSES = 10, IMAGES = 1797 };

/* Ends the program with what went wrong. */
static void check(kas_status status, const char *doing)
{
    if (!status) return;
    fprintf(stderr, "embed: %s: %s (%s)\n", doing, kas_status_message(status),
            kas_code_name(kas_status_code(status)));
    exit(1);
}

static void *read_file(const char *folder, const char *name, size_t *size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    void *bytes = malloc(*size);
    if (!bytes || fread(bytes, 1, *size, file) != *size) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return bytes;
}

/* ---- changes: requests, each answered once ---- */

static void create_layer(kas_engine *engine, const char *folder)
{
    const kas_request create = {
        .size = sizeof create,
        .kind = KAS_REQUEST_CREATE_LAYER,
        .layer = "digits",
        .create_layer = {
            .layer_id = -1, .input_size = PIXELS, .output_size = CLASSES, .num_seeds = 2, .bias = true}};
    check(kas_engine_call(engine, &create, NULL), "creating the layer");

    size_t size;
    void *weights = read_file(folder, "base.safetensors", &size);
    const kas_request set = {.size = sizeof set,
                             .kind = KAS_REQUEST_SET_WEIGHTS,
                             .layer = "digits",
                             .set_weights = {.bytes = weights, .size_bytes = size}};
    check(kas_engine_call(engine, &set, NULL), "setting its weights");
    free(weights);
}

/* A load is accepted at once and ends later: its operation tells when, and how. */
static void load_kernel(kas_engine *engine)
{
    const kas_request load = {.size = sizeof load,
                              .kind = KAS_REQUEST_LOAD,
                              .layer = "digits",
                              .seed = 0,
                              .artifact_id = "digits-good",
                              .has_alpha = true,
                              .alpha = 0};
    kas_reply reply = {.size = sizeof reply};
    check(kas_engine_call(engine, &load, &reply), "asking for the kernel");
    check(kas_engine_wait_operation(engine, reply.operation, 0), "loading the kernel");
    kas_reply_finish(&reply);
}

static void set_alpha(kas_engine *engine, float alpha)
{
    const kas_request set = {.size = sizeof set,
                             .kind = KAS_REQUEST_SET_ALPHA,
                             .layer = "digits",
                             .seed = 0,
                             .has_alpha = true,
                             .alpha = alpha};
    check(kas_engine_call(engine, &set, NULL), "setting alpha");
}

/* ---- passes: straight through, on this thread ---- */

static int count_right(kas_engine *engine, float *images, const unsigned char *labels,
                       kas_forward_result *result)
{
    static float scores[IMAGES][CLASSES];
    const kas_forward_request request = {
        .size = sizeof request,
        .layer = "digits",
        .input = {.data = images, .dtype = KAS_F32, .rank = 2, .shape = {IMAGES, PIXELS}},
        .output = {.data = scores, .dtype = KAS_F32, .rank = 2, .shape = {IMAGES, CLASSES}}};
    check(kas_forward(engine, &request, result), "a forward pass");
    int right = 0;
    for (int i = 0; i < IMAGES; ++i) {
        int best = 0;
        for (int c = 1; c < CLASSES; ++c)
            if (scores[i][c] > scores[i][best]) best = c;
        right += best == labels[i];
    }
    return right;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "examples/digits";
    char artifacts[4096];
    size_t image_bytes, label_bytes;
    snprintf(artifacts, sizeof artifacts, "%s/artifacts", folder);
    float *images = read_file(folder, "images.f32", &image_bytes);
    unsigned char *labels = read_file(folder, "labels.u8", &label_bytes);
    if (image_bytes != sizeof(float) * IMAGES * PIXELS || label_bytes != IMAGES) return 1;

    kas_engine *engine;
    const kas_engine_options options = {
        .size = sizeof options, .artifact_dir = artifacts, .device = "host:0"};
    check(kas_engine_create(&options, &engine), "starting the engine");
    create_layer(engine, folder);
    load_kernel(engine);
    printf("Kasmina %s\n", kas_version());
    for (int tenth = 0; tenth <= 10; tenth += 5) {
        kas_forward_result result = {.size = sizeof result};
        set_alpha(engine, (float)tenth / 10);
        int right = count_right(engine, images, labels, &result);
        printf("alpha %.1f: %d of %d right, in %.2f ms (generation %llu)\n", tenth / 10.0, right, IMAGES,
               (double)result.compute_ns / 1e6, (unsigned long long)result.generation);
    }
    kas_engine_destroy(engine);
    free(images);
    free(labels);
    return 0;
}
