/* The host's queue: what is enqueued is remembered and runs within kas_queue_wait, on the calling thread and
 * on idle helpers. A small pass makes no system call, takes no lock and allocates nothing. */
#include <string.h>

#include "backends/host/host.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { COMMANDS_AT_FIRST = KAS_SUBMISSIONS_MAX + 32, COMMANDS_MAX = 1 << 20 };

typedef enum command_kind { SUBMIT = 0, COPY, FILL } command_kind;

typedef struct command {
    command_kind kind;
    const kas_list *list;
    uint32_t rows;
    uint32_t word;
    void *slots[KAS_SLOT_COUNT]; /* SUBMIT: where each begins; COPY, FILL: [0] destination */
    const void *from;
    size_t size_bytes;
} command;

typedef struct host_queue {
    kas_queue base;
    command *commands; /* an array of `capacity`, `count` used */
    size_t count, capacity;
    kas_host_task task;
    kas_host_job job;
} host_queue;

static kas_status init(kas_queue *queue)
{
    host_queue *self = (host_queue *)queue;
    self->commands = kas_alloc_array(COMMANDS_AT_FIRST, sizeof *self->commands);
    if (!self->commands) return kas_out_of_memory();
    self->capacity = COMMANDS_AT_FIRST;
    return NULL;
}

static void finish(kas_queue *queue)
{
    kas_free(((host_queue *)queue)->commands);
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

/* ---- memory traffic ---------------------------------------------------------------------------------------
 */

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
    if (self->count == 0) {
        memcpy(to, from, size_bytes);
        return NULL;
    }
    command *c = append(self, COPY);
    if (!c) return kas_out_of_memory();
    c->slots[0] = to;
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
    c->slots[0] = at(to, offset);
    c->word = word;
    c->size_bytes = size_bytes;
    return NULL;
}

/* ---- submissions ------------------------------------------------------------------------------------------
 */

static kas_status submit(kas_queue *queue, const kas_submission *submission, uint32_t rows)
{
    command *c = append((host_queue *)queue, SUBMIT);
    if (!c) return kas_out_of_memory();
    c->list = submission->list;
    c->rows = rows;
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s) {
        const kas_slot *slot = &submission->slots[s];
        bool named = c->list->slots >> s & 1;
        c->slots[s] = !named || slot->host ? slot->host : at(slot->buffer, slot->offset_bytes);
    }
    return NULL;
}

/* The launch with its memory: a task, planned. */
static void prepare(host_queue *self, const command *c, const kas_launch *launch)
{
    const kas_host_device *device = (const kas_host_device *)self->base.device;
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    kas_host_task *task = &self->task;
    for (uint32_t b = 0; b < info->buffers; ++b) {
        const kas_binding *binding = &launch->bindings[b];
        task->buffers[b] = binding->slot == KAS_SLOT_FIXED
                               ? at(binding->buffer, binding->offset_bytes)
                               : (char *)c->slots[binding->slot] + binding->offset_bytes;
    }
    task->args = launch->args;
    task->rows = c->rows;
    task->groups_x = kas_grid_groups(&launch->grid_x, c->rows);
    task->groups_y = kas_grid_groups(&launch->grid_y, c->rows);
    task->group_items = info->group_items;
    task->group = device->isa->groups[launch->kernel];
    kas_host_plan *plan = device->isa->plans[launch->kernel];
    if (!plan) plan = kas_host_plan_groups;
    plan(task, kas_host_pool_threads(device->pool));
}

static kas_status passed(const kas_list *list, size_t launch)
{
    return kas_fail(KAS_DEADLINE, KERNEL, "\"%s\": the deadline passed in launch %zu of %zu", list->label,
                    launch + 1, list->count);
}

static kas_status run_list(host_queue *self, const command *c, int64_t deadline_ns)
{
    const kas_host_device *device = (const kas_host_device *)self->base.device;
    for (size_t i = 0; i < c->list->count; ++i) {
        prepare(self, c, &c->list->launches[i]);
        if (!kas_host_pool_run(device->pool, &self->job, &self->task, deadline_ns)) return passed(c->list, i);
    }
    return NULL;
}

static kas_status run(host_queue *self, int64_t deadline_ns, kas_progress *progress)
{
    int64_t before = kas_monotonic_ns();
    for (size_t i = 0; i < self->count; ++i) {
        const command *c = &self->commands[i];
        if (c->kind == COPY) memcpy(c->slots[0], c->from, c->size_bytes);
        if (c->kind == FILL) fill_words(c->slots[0], c->word, c->size_bytes);
        if (c->kind != SUBMIT) continue;
        KAS_TRY(run_list(self, c, deadline_ns));
        int64_t after = kas_monotonic_ns(), elapsed = after - before;
        progress->elapsed_ns[progress->completed++] = elapsed > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed;
        before = after;
    }
    return NULL;
}

static kas_status wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    host_queue *self = (host_queue *)queue;
    kas_status status = run(self, deadline_ns, progress);
    self->count = 0;
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
