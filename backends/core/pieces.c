#include "backends/core/pieces.h"

#include "backends/core/pace.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { HELD_MAX = 1 << 24 };

/* A submission on its way to the backend, or one launch of it. */
typedef struct part {
    kas_submission submission;
    kas_list *whole;       /* that the submission was of */
    uint32_t rows, number; /* of the submission, since the last wait */
    bool last;             /* of its submission */
} part;

struct kas_held {
    bool is_traffic;
    union {
        part part;
        kas_traffic traffic;
    };
};

static const kas_queue_ops *ops_of(const kas_queue *queue)
{
    return queue->device->ops->queue;
}

/* ---- handing over ---- */

static kas_status move_now(kas_queue *queue, const kas_traffic *traffic)
{
    const kas_queue_ops *ops = ops_of(queue);
    switch (traffic->kind) {
    case KAS_TRAFFIC_UPLOAD:
        return ops->upload(queue, traffic->buffer, traffic->offset, traffic->from, traffic->size_bytes);
    case KAS_TRAFFIC_DOWNLOAD:
        return ops->download(queue, traffic->buffer, traffic->offset, traffic->to, traffic->size_bytes);
    case KAS_TRAFFIC_FILL:
        break;
    }
    return ops->fill(queue, traffic->buffer, traffic->offset, traffic->word, traffic->size_bytes);
}

static bool has_room(const kas_pieces *pieces, double expected_ns)
{
    if (pieces->count == 0) return true;
    return pieces->count < KAS_SUBMISSIONS_MAX && pieces->expected_ns + expected_ns <= (double)kas_piece_ns();
}

static kas_status hand_over(kas_queue *queue, const kas_submission *submission, kas_list *whole,
                            uint32_t rows, uint32_t number, bool last)
{
    kas_pieces *pieces = &queue->pieces;
    if (pieces->count == 0) pieces->since_ns = kas_monotonic_ns();
    KAS_TRY(ops_of(queue)->submit(queue, submission, rows));
    pieces->handed[pieces->count++] = (kas_handed){
        .list = submission->list, .whole = whole, .rows = rows, .number = (uint16_t)number, .last = last};
    pieces->expected_ns += kas_list_expected_ns(submission->list, rows);
    return NULL;
}

/* What is held back and has its turn. */
static kas_status hand_over_next(kas_queue *queue)
{
    kas_pieces *pieces = &queue->pieces;
    for (; pieces->held_next < pieces->held_count; ++pieces->held_next) {
        const struct kas_held *next = &pieces->held[pieces->held_next];
        if (next->is_traffic) {
            KAS_TRY(move_now(queue, &next->traffic));
            continue;
        }
        const part *p = &next->part;
        if (!has_room(pieces, kas_list_expected_ns(p->submission.list, p->rows))) return NULL;
        KAS_TRY(hand_over(queue, &p->submission, p->whole, p->rows, p->number, p->last));
    }
    return NULL;
}

/* ---- holding back ---- */

static kas_status hold_back(kas_pieces *pieces, const struct kas_held *what)
{
    if (!kas_grow((void **)&pieces->held, &pieces->held_capacity, pieces->held_count + 1, HELD_MAX,
                  sizeof *pieces->held))
        return kas_out_of_memory();
    pieces->held[pieces->held_count++] = *what;
    return NULL;
}

static kas_status hold_back_parts(kas_pieces *pieces, const kas_submission *submission, uint32_t rows,
                                  uint32_t number)
{
    struct kas_held held = {
        .part = {.submission = *submission, .whole = submission->list, .rows = rows, .number = number}};
    const size_t before = pieces->held_count;
    kas_list *const *parts;
    KAS_TRY(kas_list_parts(submission->list, &parts));
    for (size_t i = 0; i < submission->list->count; ++i) {
        held.part.submission.list = parts[i];
        held.part.last = i + 1 == submission->list->count;
        kas_status status = hold_back(pieces, &held);
        if (!status) continue;
        pieces->held_count = before;
        return status;
    }
    return NULL;
}

kas_status kas_pieces_move(kas_queue *queue, const kas_traffic *traffic)
{
    kas_pieces *pieces = &queue->pieces;
    if (pieces->held_count == 0) return move_now(queue, traffic);
    return hold_back(pieces, &(struct kas_held){.is_traffic = true, .traffic = *traffic});
}

kas_status kas_pieces_submit(kas_queue *queue, const kas_submission *submission, uint32_t rows)
{
    kas_pieces *pieces = &queue->pieces;
    if (queue->device->limits.immediate) return ops_of(queue)->submit(queue, submission, rows);
    double expected_ns = kas_list_expected_ns(submission->list, rows);
    if (expected_ns > (double)kas_piece_ns() && submission->list->count > 1)
        return hold_back_parts(pieces, submission, rows, queue->submitted);
    if (pieces->held_count == 0 && has_room(pieces, expected_ns))
        return hand_over(queue, submission, submission->list, rows, queue->submitted, true);
    return hold_back(pieces, &(struct kas_held){.part = {.submission = *submission,
                                                         .whole = submission->list,
                                                         .rows = rows,
                                                         .number = queue->submitted,
                                                         .last = true}});
}

/* ---- waiting ---- */

/* Where a device does not tell how long a part ran, it is the part's share of the piece. */
static double elapsed_ns(const kas_pieces *pieces, const kas_handed *handed, uint32_t told_ns, int64_t now_ns)
{
    if (told_ns > 0) return told_ns;
    double share = kas_list_expected_ns(handed->list, handed->rows) / pieces->expected_ns;
    return (double)(now_ns - pieces->since_ns) * share;
}

static uint32_t add_saturating(uint32_t a, uint32_t b)
{
    uint32_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT32_MAX : sum;
}

/* Puts what is done of a piece to the account of its submissions, and learns from it. */
static void settle(kas_pieces *pieces, const kas_progress *piece, kas_progress *progress)
{
    const int64_t now_ns = kas_monotonic_ns();
    for (uint32_t i = 0; i < piece->completed; ++i) {
        const kas_handed *handed = &pieces->handed[i];
        uint32_t *total_ns = &progress->elapsed_ns[handed->number];
        double took_ns = elapsed_ns(pieces, handed, piece->elapsed_ns[i], now_ns);
        kas_list_took(handed->list, handed->rows, took_ns);
        if (pieces->begun != handed->number + 1u) { /* its first part */
            pieces->begun = handed->number + 1u;
            pieces->begun_ns = 0;
            *total_ns = 0;
        }
        pieces->begun_ns += took_ns;
        *total_ns = add_saturating(*total_ns, piece->elapsed_ns[i]);
        if (!handed->last) continue;
        if (handed->whole != handed->list) kas_list_took(handed->whole, handed->rows, pieces->begun_ns);
        progress->completed = handed->number + 1u;
    }
}

static kas_status run_piece(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    kas_pieces *pieces = &queue->pieces;
    kas_progress piece;
    piece.completed = 0;
    kas_status refused = hand_over_next(queue);
    if (kas_status_code(refused) == KAS_DEVICE_LOST) return refused;     /* nobody knows what to wait for */
    kas_status status = ops_of(queue)->wait(queue, deadline_ns, &piece); /* wait */
    settle(pieces, &piece, progress);
    pieces->count = 0;
    pieces->expected_ns = 0;
    return kas_join(status, refused);
}

static kas_status check_deadline(const kas_queue *queue, int64_t deadline_ns, const kas_progress *progress)
{
    if (kas_monotonic_ns() < deadline_ns) return NULL;
    return kas_fail(KAS_DEADLINE, KERNEL,
                    "%s: submission %u of %u was not done in time, and is not run to its end",
                    queue->device->info.id, progress->completed + 1, queue->submitted);
}

kas_status kas_pieces_wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    kas_pieces *pieces = &queue->pieces;
    if (queue->device->limits.immediate) return ops_of(queue)->wait(queue, deadline_ns, progress); /* wait */
    pieces->begun = 0;
    kas_status status = run_piece(queue, deadline_ns, progress);
    while (!status && pieces->held_next < pieces->held_count) {
        status = check_deadline(queue, deadline_ns, progress);
        if (!status) status = run_piece(queue, deadline_ns, progress);
    }
    pieces->held_count = pieces->held_next = 0;
    return status;
}

void kas_pieces_finish(kas_queue *queue)
{
    kas_free(queue->pieces.held);
}
