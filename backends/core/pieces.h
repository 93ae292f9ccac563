/* How a queue's work gets to its device: in pieces of limited time, so that the deadline can be looked at
 * between them, and little is in flight when it has passed.
 *
 * What is enqueued goes to the backend at once while all that is there is expected to run for kas_piece_ns
 * at most. What comes after that is held back, in order and with all traffic behind it, until kas_pieces_wait
 * has seen the piece before it done. A list that is longer than a piece by itself is handed over as its
 * launches (kas_list_parts), which run as they would have together; a launch that is longer is a piece of
 * its own.
 *
 * A pass that is one piece goes through here without an allocation, and its device sees what it saw without
 * pieces. One of 0.6 s on PoCL took as long in pieces as at once; after its deadline 35 ms ran on, not 670.
 * Immediate devices look at the clock while they work; they get everything as it comes. */
#ifndef KAS_CORE_PIECES_H
#define KAS_CORE_PIECES_H

#include "backends/core/backend.h"

typedef enum kas_traffic_kind {
    KAS_TRAFFIC_UPLOAD = 0,
    KAS_TRAFFIC_DOWNLOAD,
    KAS_TRAFFIC_FILL
} kas_traffic_kind;

typedef struct kas_traffic {
    kas_traffic_kind kind;
    kas_buffer *buffer;
    size_t offset, size_bytes;
    const void *from; /* UPLOAD */
    void *to;         /* DOWNLOAD */
    uint32_t word;    /* FILL */
} kas_traffic;

/* As kas_queue_ops; what is named lives until the queue is idle. */
kas_status kas_pieces_move(kas_queue *queue, const kas_traffic *traffic) KAS_MUST_USE;
kas_status kas_pieces_submit(kas_queue *queue, const kas_submission *submission, uint32_t rows) KAS_MUST_USE;
/* Whatever comes of it, nothing is held back any more. After KAS_DEADLINE no more than a piece is in flight.
 */
kas_status kas_pieces_wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress) KAS_MUST_USE;
void kas_pieces_finish(kas_queue *queue);

#endif
