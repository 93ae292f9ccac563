/* Queues of several threads that run one list in pieces: whoever needs its launches first makes them. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/remote_device.h"

enum { PASSES = 40, LAUNCHES = 4, VALUES = ROWS * WIDTH };

typedef struct worker {
    const rig *rig;
    kas_list *const *lists; /* PASSES of them */
    size_t place;
    pthread_barrier_t *meet;
    unsigned wrong;
} worker;

/* 3 x − 1 of a half is a half. */
static bool stays_a_half(const rig *r, kas_queue *queue, const kas_submission *submission)
{
    float x[VALUES];
    const size_t at = submission->slots[KAS_SLOT_X].offset_bytes;
    ok(kas_queue_fill(queue, r->arena, at, 0x3f000000 /* 0.5 */, sizeof x));
    ok(kas_queue_submit(queue, submission, 1, ROWS));
    ok(kas_queue_download(queue, r->arena, at, x, sizeof x));
    ok(kas_queue_wait(queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < VALUES; ++i)
        if (x[i] != 0.5f) return false;
    return true;
}

static void *work(void *argument)
{
    worker *self = argument;
    kas_queue *queue;
    kas_submission submission = at_place(self->rig, self->place);
    ok(kas_queue_create(self->rig->device, "worker", &queue));
    for (size_t i = 0; i < PASSES; ++i) {
        submission.list = self->lists[i];
        pthread_barrier_wait(self->meet);
        self->wrong += !stays_a_half(self->rig, queue, &submission);
    }
    kas_queue_destroy(queue);
    return NULL;
}

Test(pieces_threads, share_a_lists_launches)
{
    rig r;
    pthread_t threads[PLACES];
    worker workers[PLACES];
    pthread_barrier_t meet;
    kas_list *lists[PASSES];
    open_rig_on(&r, remote_device_open());
    kas_use_piece_ns(1);
    for (size_t i = 0; i < PASSES; ++i)
        lists[i] = chain(&r, LAUNCHES);
    cr_assert_eq(pthread_barrier_init(&meet, NULL, PLACES), 0);
    for (size_t i = 0; i < PLACES; ++i) {
        workers[i] = (worker){.rig = &r, .lists = lists, .place = i, .meet = &meet};
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < PLACES; ++i) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(workers[i].wrong, 0u);
    }
    pthread_barrier_destroy(&meet);
    for (size_t i = 0; i < PASSES; ++i)
        kas_list_release(lists[i]);
    close_rig(&r);
}
