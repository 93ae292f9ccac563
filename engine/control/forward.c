/* Passes: straight to the executor, without a lock of the engine's. */
#include "engine/control/engine.h"

kas_status kas_forward(kas_engine *engine, const kas_forward_request *request, kas_forward_result *result)
{
    return kas_exec_forward(engine->exec, request, result);
}

void kas_forward_together(kas_engine *engine, kas_forward_call *calls, size_t count)
{
    kas_exec_forward_together(engine->exec, calls, count);
}

kas_status kas_forward_submit(kas_engine *engine, const kas_forward_request *request,
                              kas_forward_result *result, kas_forward_done done, void *user)
{
    return kas_exec_submit(engine->exec, request, result, done, user);
}

bool kas_forward_is_small(kas_engine *engine, const char *layer, uint64_t rows)
{
    return kas_exec_is_small(engine->exec, layer, rows);
}
