/* What a request must be like, and what it asks of its layer's plan. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/half.h"
#include "engine/exec/executor.h"
#include "engine/exec/pass.h"

static const char *shape_text(const kas_tensor_view *view, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < view->rank && i < KAS_TENSOR_MAX_RANK && used < size; ++i)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "", (long long)view->shape[i]);
    if (used < size) (void)snprintf(out + used, size - used, "]");
    return out;
}

static kas_status refuse_shape(const kas_plan *plan, const char *name, const kas_tensor_view *view,
                               uint32_t features)
{
    char text[192];
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                    "layer %s: the %s has shape %s, but the layer takes [..., %u]", plan->name, name,
                    shape_text(view, text, sizeof text), features);
}

static bool is_dense(const kas_tensor_view *view)
{
    bool any = false, all = true;
    int64_t expected = 1;
    for (uint32_t i = view->rank; i-- > 0;) {
        any |= view->strides[i] != 0;
        all &= view->strides[i] == expected || view->shape[i] <= 1;
        expected *= view->shape[i] > 0 ? view->shape[i] : 1;
    }
    return !any || all;
}

static bool is_host(const char *device)
{
    return !device || strcmp(device, "host:0") == 0;
}

/* Rows of a view whose last dimension is `features`. */
static kas_status view_rows(const kas_plan *plan, const char *name, const kas_tensor_view *view,
                            uint32_t features, uint64_t *out)
{
    if (view->dtype != KAS_F32 || !is_host(view->device))
        return kas_fail(KAS_UNSUPPORTED, CALLER, "layer %s: the %s must be float32 in host memory",
                        plan->name, name);
    uint32_t rank = view->rank;
    if (rank < 1 || rank > KAS_TENSOR_MAX_RANK || view->shape[rank - 1] != (int64_t)features)
        return refuse_shape(plan, name, view, features);
    size_t rows = 1, bytes;
    for (uint32_t i = 0; i + 1 < rank; ++i)
        if (view->shape[i] < 0 || !kas_mul(rows, (size_t)view->shape[i], &rows))
            return refuse_shape(plan, name, view, features);
    if (!kas_mul(rows, 4 * (size_t)features, &bytes) || bytes > PTRDIFF_MAX)
        return refuse_shape(plan, name, view, features);
    if (!is_dense(view))
        return kas_fail(KAS_UNSUPPORTED, CALLER, "layer %s: the %s must be dense and row-major", plan->name,
                        name);
    if (rows > 0 && !view->data)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: the %s has no memory", plan->name, name);
    *out = rows;
    return NULL;
}

/* The usual view, [rows, features] in host memory without strides, told at a glance. False: look closer. */
static bool is_plain(const kas_tensor_view *view, uint32_t features)
{
    const int64_t rows_max = INT64_MAX >> 24; /* times any number of features is still an address */
    return view->rank == 2 && view->dtype == KAS_F32 && !view->device && view->data &&
           view->shape[1] == (int64_t)features && (uint64_t)view->shape[0] < (uint64_t)rows_max &&
           (view->strides[0] | view->strides[1]) == 0;
}

static bool same_leading(const kas_tensor_view *a, const kas_tensor_view *b)
{
    if (a->rank != b->rank) return false;
    for (uint32_t i = 0; i + 1 < a->rank; ++i)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

static kas_status refuse_pair(const kas_plan *plan, const kas_forward_request *request)
{
    char input[192], output[192];
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                    "layer %s: input %s and output %s must have the same leading dimensions", plan->name,
                    shape_text(&request->input, input, sizeof input),
                    shape_text(&request->output, output, sizeof output));
}

/* The place of a seed in the plan; seed_count when it has no kernel. */
static uint32_t place_of(const kas_plan *plan, uint32_t seed)
{
    uint32_t place = 0;
    while (place < plan->seed_count && plan->seeds[place].seed != seed)
        ++place;
    return place;
}

static kas_status check_overrides(const kas_plan *plan, const kas_forward_request *request)
{
    for (size_t i = 0; i < request->alpha_count; ++i) {
        const kas_alpha_override *given = &request->alphas[i];
        if (place_of(plan, given->seed) == plan->seed_count)
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "layer %s: seed %u has no kernel whose alpha could be given", plan->name,
                            given->seed);
        if (!(given->alpha >= 0.0f && given->alpha <= 1.0f))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "layer %s: alpha %g of seed %u is not within [0, 1]", plan->name,
                            (double)given->alpha, given->seed);
        if (i > 0 && request->alphas[i - 1].seed >= given->seed)
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "layer %s: alphas must be given by ascending seed, each once", plan->name);
    }
    return NULL;
}

static kas_status refuse(const kas_pass *pass, const kas_sight *sight)
{
    const kas_forward_request *request = pass->request;
    if (sight->closed)
        return kas_fail(KAS_UNAVAILABLE, ENGINE, "layer %s: the engine is stopping", request->layer);
    if (!sight->plan) return kas_fail(KAS_NOT_FOUND, CALLER, "no layer %s", request->layer);
    if (!sight->plan->serving)
        return kas_fail(KAS_UNAVAILABLE, CALLER, "layer %s is out of service; load it again to use it",
                        request->layer);
    if (request->deadline_ns != 0 && pass->started_ns >= request->deadline_ns)
        return kas_fail(
            KAS_DEADLINE, CALLER, "layer %s: the request's deadline passed %lld us before it could start",
            request->layer, (long long)((pass->started_ns - request->deadline_ns) / KAS_NS_PER_US));
    return NULL;
}

static kas_status find_rows(kas_pass *pass, const kas_plan *plan)
{
    const kas_forward_request *request = pass->request;
    uint64_t output_rows;
    KAS_TRY(view_rows(plan, "input", &request->input, plan->inputs, &pass->rows));
    KAS_TRY(view_rows(plan, "output", &request->output, plan->outputs, &output_rows));
    return same_leading(&request->input, &request->output) ? NULL : refuse_pair(plan, request);
}

kas_status kas_pass_admit(kas_pass *pass, const kas_sight *sight)
{
    const kas_forward_request *request = pass->request;
    const kas_plan *plan = sight->plan;
    if (!plan || !plan->serving || request->deadline_ns != 0) KAS_TRY(refuse(pass, sight));
    if (is_plain(&request->input, plan->inputs) && is_plain(&request->output, plan->outputs) &&
        request->input.shape[0] == request->output.shape[0])
        pass->rows = (uint64_t)request->input.shape[0];
    else
        KAS_TRY(find_rows(pass, plan));
    pass->x = request->input.data;
    pass->y = request->output.data;
    uintptr_t x = (uintptr_t)pass->x, y = (uintptr_t)pass->y;
    if ((x | y) % sizeof(float))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: input or output is not aligned for a float",
                        plan->name);
    if (x < y + 4 * pass->rows * plan->outputs && y < x + 4 * pass->rows * plan->inputs)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: input and output overlap", plan->name);
    return request->alpha_count > 0 ? check_overrides(plan, request) : NULL;
}

/* Which pass of the plan's ramps this is, from 1; once all have ended it stays at the last. */
static uint32_t take_step(const kas_plan *plan)
{
    if (atomic_load_explicit(&plan->ramp->steps, memory_order_relaxed) >= plan->ramp_steps_max)
        return plan->ramp_steps_max;
    uint32_t step = atomic_fetch_add_explicit(&plan->ramp->steps, 1, memory_order_relaxed) + 1;
    return step < plan->ramp_steps_max ? step : plan->ramp_steps_max;
}

void kas_pass_set_alphas(kas_pass *pass, const kas_plan *plan)
{
    const kas_forward_request *request = pass->request;
    if (plan->ramp) pass->step = take_step(plan);
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        pass->alphas[i] = kas_plan_alpha(&plan->seeds[i], pass->step);
    for (size_t i = 0; i < request->alpha_count; ++i)
        pass->alphas[place_of(plan, request->alphas[i].seed)] =
            kas_half_to_float(kas_half_from_float(request->alphas[i].alpha));
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if (pass->alphas[i] > 0.0f) pass->contributing |= 1ull << i;
}
