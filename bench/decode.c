/* How fast artifacts are decoded: kas_decode_bench RUNS FILE…, a line of JSON for each. Megabytes a second of
 * processor time, the best of RUNS: of the file through SHA-256 alone; of the file, and of the weights as
 * float32, through decoding with it (bytes to a checked and simplified graph); and of the weights through
 * planning and packing for the host device, which decoding does not include. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/core/device.h"
#include "base/clock.h"
#include "base/file.h"
#include "engine/artifact/artifact.h"
#include "engine/graph/segment.h"

enum { ROWS = 128 };

typedef struct timing {
    double sha256_s, decode_s, pack_s; /* the best so far */
    size_t weight_bytes;
} timing;

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void check(kas_status status)
{
    if (!status) return;
    fprintf(stderr, "kas_decode_bench: %s\n", kas_status_message(status));
    exit(1);
}

static void keep_best(double *best, double begin)
{
    const double seconds = now_s() - begin;
    if (*best == 0 || seconds < *best) *best = seconds;
}

static void run_once(kas_device *device, kas_queue *queue, const kas_bytes *bytes, const char *path,
                     timing *out)
{
    kas_artifact artifact;
    kas_segment_plan *plan;
    kas_segment *segment;
    double begin = now_s();
    const kas_sha256 digest = kas_sha256_of(bytes->data, bytes->size);
    keep_best(&out->sha256_s, begin);
    begin = now_s();
    check(kas_artifact_decode(bytes->data, bytes->size, path, NULL, &artifact));
    keep_best(&out->decode_s, begin);
    if (!kas_sha256_equal(&digest, &artifact.checksum))
        check(kas_fail(KAS_INTERNAL, ENGINE, "%s: checksums differ", path));
    out->weight_bytes = artifact.memory_bytes;
    begin = now_s();
    check(kas_segment_plan_create(device, artifact.graph, ROWS, &plan));
    check(kas_segment_create(plan, queue, KAS_NEVER, &segment));
    keep_best(&out->pack_s, begin);
    kas_segment_release(segment);
    kas_segment_plan_destroy(plan);
    kas_artifact_finish(&artifact);
}

static void measure(kas_device *device, kas_queue *queue, const char *path, int runs)
{
    kas_bytes bytes;
    timing best = {0};
    check(kas_file_read(path, SIZE_MAX, &bytes));
    for (int i = 0; i < runs; ++i)
        run_once(device, queue, &bytes, path, &best);
    const double file_mb = (double)bytes.size * 1e-6, weights_mb = (double)best.weight_bytes * 1e-6;
    printf("{\"file_mb\": %.3f, \"sha256_mb_s\": %.0f, \"file_mb_s\": %.0f, \"weights_mb_s\": %.0f, "
           "\"pack_mb_s\": %.0f}\n",
           file_mb, file_mb / best.sha256_s, file_mb / best.decode_s, weights_mb / best.decode_s,
           weights_mb / best.pack_s);
    kas_bytes_free(&bytes);
}

int main(int count, char **arguments)
{
    kas_device *device;
    kas_queue *queue;
    if (count < 3) {
        fprintf(stderr, "usage: kas_decode_bench RUNS FILE…\n");
        return 2;
    }
    check(kas_device_open("host:0", &device));
    check(kas_queue_create(device, "bench", &queue));
    for (int i = 2; i < count; ++i)
        measure(device, queue, arguments[i], atoi(arguments[1]));
    kas_queue_destroy(queue);
    kas_device_release(device);
    return 0;
}
