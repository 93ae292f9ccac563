/* What others have to say to the control thread: messages, embedded in what they are about, so that posting
 * one never fails; handled in order of arrival. */
#ifndef KAS_CONTROL_MAILBOX_H
#define KAS_CONTROL_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct kas_message {
    struct kas_message *next;
    /* On the control thread; the message may be gone afterwards. False: memory is out and nothing has
     * changed; it is called again later. */
    bool (*handle)(struct kas_message *message);
} kas_message;

typedef struct kas_mailbox {
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t arrived; /* goes by the monotonic clock */
    kas_message *first, *last;
    bool woken;
    bool closed; /* callers are turned away; those who carry out effects are not */
} kas_mailbox;

void kas_mailbox_init(kas_mailbox *mailbox);
void kas_mailbox_finish(kas_mailbox *mailbox);

void kas_mailbox_post(kas_mailbox *mailbox, kas_message *message);
bool kas_mailbox_post_caller(kas_mailbox *mailbox, kas_message *message); /* false: closed, not posted */
void kas_mailbox_close(kas_mailbox *mailbox);
void kas_mailbox_wake(kas_mailbox *mailbox); /* the waiting thread looks about */

kas_message *kas_mailbox_take(kas_mailbox *mailbox); /* all that there are, linked in order; NULL: none */
/* Until a message or a wake has come, or the monotonic time. */
void kas_mailbox_wait(kas_mailbox *mailbox, int64_t until_ns);

#endif
