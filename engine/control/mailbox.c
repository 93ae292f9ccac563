/* The mailbox: a list under a mutex. */
#include "engine/control/mailbox.h"

#include <time.h>

#include "base/clock.h"

void kas_mailbox_init(kas_mailbox *mailbox)
{
    *mailbox = (kas_mailbox){0};
    pthread_mutex_init(&mailbox->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&mailbox->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
}

void kas_mailbox_finish(kas_mailbox *mailbox)
{
    pthread_cond_destroy(&mailbox->arrived);
    pthread_mutex_destroy(&mailbox->lock);
}

static void append(kas_mailbox *mailbox, kas_message *message) /* lock held */
{
    message->next = NULL;
    if (mailbox->last)
        mailbox->last->next = message;
    else
        mailbox->first = message;
    mailbox->last = message;
    pthread_cond_signal(&mailbox->arrived);
}

void kas_mailbox_post(kas_mailbox *mailbox, kas_message *message)
{
    pthread_mutex_lock(&mailbox->lock);
    append(mailbox, message);
    pthread_mutex_unlock(&mailbox->lock);
}

bool kas_mailbox_post_caller(kas_mailbox *mailbox, kas_message *message)
{
    pthread_mutex_lock(&mailbox->lock);
    bool open = !mailbox->closed;
    if (open) append(mailbox, message);
    pthread_mutex_unlock(&mailbox->lock);
    return open;
}

void kas_mailbox_close(kas_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    mailbox->woken = true;
    pthread_cond_signal(&mailbox->arrived);
    pthread_mutex_unlock(&mailbox->lock);
}

void kas_mailbox_wake(kas_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->woken = true;
    pthread_cond_signal(&mailbox->arrived);
    pthread_mutex_unlock(&mailbox->lock);
}

kas_message *kas_mailbox_take(kas_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    kas_message *messages = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    mailbox->woken = false;
    pthread_mutex_unlock(&mailbox->lock);
    return messages;
}

void kas_mailbox_wait(kas_mailbox *mailbox, int64_t until_ns)
{
    struct timespec until = {.tv_sec = until_ns / KAS_NS_PER_S, .tv_nsec = until_ns % KAS_NS_PER_S};
    pthread_mutex_lock(&mailbox->lock);
    while (!mailbox->first && !mailbox->woken) {
        int error = 0;
        if (until_ns == KAS_NEVER)
            pthread_cond_wait(&mailbox->arrived, &mailbox->lock);
        else
            error = pthread_cond_timedwait(&mailbox->arrived, &mailbox->lock, &until);
        if (error) break; /* the time has come */
    }
    pthread_mutex_unlock(&mailbox->lock);
}
