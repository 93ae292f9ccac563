/* The host's queue: what is enqueued is remembered and runs within kas_queue_wait, on the calling thread and
 * on idle helpers. A small pass makes no system call, takes no lock and allocates nothing. */
#include <string.h>

#include "backends/host/host.h"
#include "backends/host/pass.h"
#include "backends/host/witness.h"
#include "base/alloc.h"

enum {
    COMMANDS_AT_FIRST = 64,
    COMMANDS_MAX = 1 << 20,
    STEPS_AT_FIRST = 64,
    STEPS_MAX = 1 << 20,
    FLAGS_MAX = 1 << 30
};

typedef enum command_kind { SUBMIT = 0, COPY, FILL } command_kind;

typedef struct command {
    command_kind kind;
    uint32_t rows, word;
    size_t steps; /* SUBMIT */
    void *to;     /* COPY, FILL */
    const void *from;
    size_t size_bytes;
} command;

typedef struct host_queue {
    kas_queue base;
    command *commands; /* an array of `capacity`, `count` used */
    size_t count, capacity;
    kas_host_step *steps; /* of all submissions, one after the other */
    size_t step_count, step_capacity;
    _Atomic uint8_t *flags; /* of all judges among the steps: `flag_count` used */
    size_t flag_count, flag_capacity;
    kas_host_job job;
} host_queue;

static kas_status init(kas_queue *queue)
{
    host_queue *self = (host_queue *)queue;
    self->commands = kas_alloc_array(COMMANDS_AT_FIRST, sizeof *self->commands);
    self->steps = kas_alloc_array(STEPS_AT_FIRST, sizeof *self->steps);
    if (!self->commands || !self->steps) {
        kas_free(self->commands);
        kas_free(self->steps);
        return kas_out_of_memory();
    }
    self->capacity = COMMANDS_AT_FIRST;
    self->step_capacity = STEPS_AT_FIRST;
    return NULL;
}

static void finish(kas_queue *queue)
{
    kas_free(((host_queue *)queue)->commands);
    kas_free(((host_queue *)queue)->steps);
    kas_free(((host_queue *)queue)->flags);
}

/* NULL when memory is out. */
static command *append(host_queue *self, command_kind kind)
{
    if (!kas_grow((void **)&self->commands, &self->capacity, self->count + 1, COMMANDS_MAX,
                  sizeof *self->commands))
        return NULL;
    command *c = &self->commands[self->count++];
    c->kind = kind;
    return c;
}

/* ---- memory traffic ---- */

static char *at(kas_buffer *buffer, size_t offset)
{
    return (char *)kas_buffer_host(buffer) + offset;
}

static void fill_words(void *to, uint32_t word, size_t size_bytes)
{
    uint32_t *words = to;
    for (size_t i = 0; i < size_bytes / sizeof word; ++i)
        words[i] = word;
}

/* With nothing before it, a copy may as well be done now. */
static kas_status copy(kas_queue *queue, void *to, const void *from, size_t size_bytes)
{
    host_queue *self = (host_queue *)queue;
    const bool first = self->count == 0; /* wait */
    if (first) {
        memcpy(to, from, size_bytes);
        return NULL;
    }
    command *c = append(self, COPY);
    if (!c) return kas_out_of_memory();
    c->to = to;
    c->from = from;
    c->size_bytes = size_bytes;
    return NULL;
}

static kas_status upload(kas_queue *queue, kas_buffer *to, size_t offset, const void *host, size_t size_bytes)
{
    return copy(queue, at(to, offset), host, size_bytes);
}

static kas_status download(kas_queue *queue, kas_buffer *from, size_t offset, void *host, size_t size_bytes)
{
    return copy(queue, host, at(from, offset), size_bytes);
}

static kas_status fill(kas_queue *queue, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes)
{
    command *c = append((host_queue *)queue, FILL);
    if (!c) return kas_out_of_memory();
    c->to = at(to, offset);
    c->word = word;
    c->size_bytes = size_bytes;
    return NULL;
}

/* ---- submissions ---- */

static void *slot_memory(const kas_slot *slot, size_t offset_bytes)
{
    if (slot->host) return (char *)slot->host + offset_bytes;
    return at(slot->buffer, slot->offset_bytes + offset_bytes);
}

/* Where a launch's buffer begins. */
static void *bound(const kas_submission *submission, const kas_binding *binding)
{
    if (binding->slot == KAS_SLOT_FIXED) return at(binding->buffer, binding->offset_bytes);
    return slot_memory(&submission->slots[binding->slot], binding->offset_bytes);
}

static void *slot_of(const kas_submission *submission, uint32_t slot)
{
    return submission->list->slots >> slot & 1 ? slot_memory(&submission->slots[slot], 0) : NULL;
}

static void make_step(const kas_host_device *device, const kas_submission *submission, uint32_t i,
                      uint32_t rows, kas_host_step *step)
{
    const kas_launch *launch = &submission->list->launches[i];
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    kas_host_task *task = &step->task;
    for (uint32_t b = 0; b < info->buffers; ++b)
        task->buffers[b] = bound(submission, &launch->bindings[b]);
    task->args = launch->args;
    task->row = 0;
    task->rows = rows;
    task->groups_x = kas_grid_groups(&launch->grid_x, rows);
    task->groups_y = kas_grid_groups(&launch->grid_y, rows);
    task->group_items = info->group_items;
    task->group = device->isa->groups[launch->kernel];
    task->witness = NULL;
    kas_host_plan *plan = device->isa->plans[launch->kernel];
    step->plan = plan ? plan : kas_host_plan_groups;
    step->by_rows = plan != NULL;
    step->apart = submission->apart;
    step->list = submission->list;
    step->launch = i;
    step->work = slot_of(submission, KAS_SLOT_WORK);
    step->y = slot_of(submission, KAS_SLOT_Y);
}

static kas_status submit(kas_queue *queue, const kas_submission *submission, uint32_t rows)
{
    host_queue *self = (host_queue *)queue;
    size_t count = submission->list->count, flags = self->flag_count;
    for (size_t i = 0; i < count; ++i)
        flags += kas_host_witness_bytes(&submission->list->launches[i], rows);
    if (!kas_grow((void **)&self->flags, &self->flag_capacity, flags, FLAGS_MAX, sizeof *self->flags))
        return kas_out_of_memory();
    if (!kas_grow((void **)&self->steps, &self->step_capacity, self->step_count + count, STEPS_MAX,
                  sizeof *self->steps))
        return kas_out_of_memory();
    command *c = append(self, SUBMIT);
    if (!c) return kas_out_of_memory();
    c->rows = rows;
    c->steps = count;
    self->flag_count = flags;
    for (uint32_t i = 0; i < count; ++i)
        make_step((const kas_host_device *)queue->device, submission, i, rows,
                  &self->steps[self->step_count++]);
    return NULL;
}

/* The submissions from command `first` on that follow each other and have as many rows: the number of steps,
 * and of commands in *commands. */
static size_t gather(const host_queue *self, size_t first, size_t *commands)
{
    size_t steps = 0, i = first;
    for (; i < self->count && self->commands[i].kind == SUBMIT &&
           self->commands[i].rows == self->commands[first].rows;
         ++i)
        steps += self->commands[i].steps;
    *commands = i - first;
    return steps;
}

static kas_status run(host_queue *self, int64_t deadline_ns, kas_progress *progress)
{
    kas_host_pool *pool = ((const kas_host_device *)self->base.device)->pool;
    kas_host_step *next = self->steps;
    for (size_t i = 0, commands = 1; i < self->count; i += commands) {
        const command *c = &self->commands[i];
        commands = 1;
        if (c->kind == COPY) memcpy(c->to, c->from, c->size_bytes);
        if (c->kind == FILL) fill_words(c->to, c->word, c->size_bytes);
        if (c->kind != SUBMIT) continue;
        size_t steps = gather(self, i, &commands);
        if (self->flag_count > 0) kas_host_witness_call(next, steps, self->flags);
        KAS_TRY(kas_host_pass_run(pool, &self->job, next, steps, deadline_ns, progress));
        next += steps;
    }
    return NULL;
}

static kas_status wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    host_queue *self = (host_queue *)queue;
    kas_status status = run(self, deadline_ns, progress);
    self->count = self->step_count = self->flag_count = 0;
    return status;
}

const kas_queue_ops kas_host_queue_ops = {
    .size_bytes = sizeof(host_queue),
    .init = init,
    .finish = finish,
    .upload = upload,
    .download = download,
    .fill = fill,
    .submit = submit,
    .wait = wait,
    .run = kas_host_run_directly,
};
