/* Programs of the host are compiled into this binary: there is nothing to make, and none is missing. */
#include "backends/host/host.h"

static kas_status init(kas_program *program)
{
    (void)program;
    return NULL;
}

static void finish(kas_program *program)
{
    (void)program;
}

const kas_program_ops kas_host_program_ops = {
    .size_bytes = sizeof(kas_program), .init = init, .finish = finish};

static void run_groups(const kas_host_task *task, size_t begin, size_t end)
{
    for (size_t g = begin; g < end; ++g)
        task->group((int)(g % task->groups_x), (int)(g / task->groups_x), task->buffers, task->args);
}

void kas_host_plan_groups(kas_host_task *task, unsigned threads)
{
    (void)threads;
    task->run = run_groups;
    task->parts = (size_t)task->groups_x * task->groups_y;
    task->work = (double)task->parts * task->group_items * 8.0; /* of unknown cost: some operations an item */
}
