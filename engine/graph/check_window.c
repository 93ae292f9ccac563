/* What convolutions and pooling demand. Every attribute is at most 2^26, so that int64 arithmetic on them is
 * exact. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/graph/check.h"

#define WINDOW_MAX ((int64_t)KAS_GRAPH_MAX_ELEMENTS)

static bool within(int64_t value, int64_t least)
{
    return value >= least && value <= WINDOW_MAX;
}

static kas_status check_range(const kas_check *check, const kas_tensor *x)
{
    const kas_window *window = &check->node->window;
    if (window->spatial < 1 || window->spatial > 2)
        return kas_check_refuse(check, "malformed", "%d spatial dimensions; 1 or 2 are meant",
                                window->spatial);
    if (x->shape.rank != window->spatial + 1)
        return kas_check_refuse(check, "shape",
                                "the input %s should have a channel and %d spatial dimensions",
                                kas_check_describe(x).text, window->spatial);
    for (int d = 0; d < window->spatial; ++d)
        if (!within(window->kernel[d], 1) || !within(window->stride[d], 1) ||
            !within(window->dilation[d], 1) || !within(window->before[d], 0) || !within(window->after[d], 0))
            return kas_check_refuse(check, "limit",
                                    "window of dimension %d out of range: kernel %" PRId64 ", stride %" PRId64
                                    ", dilation %" PRId64 ", padding %" PRId64 " and %" PRId64,
                                    d, window->kernel[d], window->stride[d], window->dilation[d],
                                    window->before[d], window->after[d]);
    return NULL;
}

/* Elements from a window's first to its last, both counted. */
static int64_t extent(const kas_window *window, int d)
{
    return window->dilation[d] * (window->kernel[d] - 1) + 1;
}

static kas_status check_spatial(const kas_check *check, int64_t channels)
{
    const kas_window *window = &check->node->window;
    const kas_tensor *x = kas_check_input(check, 0);
    kas_shape expected = {.rank = window->spatial + 1, .dims = {channels}};
    for (int d = 0; d < window->spatial; ++d) {
        int64_t padded = x->shape.dims[1 + d] + window->before[d] + window->after[d];
        if (padded < extent(window, d))
            return kas_check_refuse(check, "shape",
                                    "a window of %" PRId64 " does not fit into dimension %d of %s, %" PRId64
                                    " with its padding",
                                    extent(window, d), 1 + d, kas_check_describe(x).text, padded);
        expected.dims[1 + d] = (padded - extent(window, d)) / window->stride[d] + 1;
    }
    return kas_check_output_shape(check, &expected);
}

kas_status kas_check_conv(const kas_check *check)
{
    const kas_window *window = &check->node->window;
    const kas_tensor *x = kas_check_input(check, 0), *w = kas_check_input(check, 1);
    const kas_tensor *bias = kas_check_input(check, 2);
    KAS_TRY(check_range(check, x));
    if (!w->constant || (bias && !bias->constant))
        return kas_check_refuse(check, "malformed", "the weight %s and the bias must be constants",
                                kas_check_describe(w).text);
    int64_t groups = window->groups, channels = x->shape.dims[0];
    if (groups < 1 || channels % groups || w->shape.dims[0] % groups)
        return kas_check_refuse(
            check, "shape", "%" PRId64 " groups do not divide the channels of the input %s and the weight %s",
            groups, kas_check_describe(x).text, kas_check_describe(w).text);
    bool fits = w->shape.rank == window->spatial + 2 && w->shape.dims[1] == channels / groups;
    for (int d = 0; fits && d < window->spatial; ++d)
        fits = w->shape.dims[2 + d] == window->kernel[d];
    if (!fits)
        return kas_check_refuse(check, "shape",
                                "the weight %s does not fit the input %s with %" PRId64 " groups and kernel",
                                kas_check_describe(w).text, kas_check_describe(x).text, groups);
    if (bias && (bias->shape.rank != 1 || bias->shape.dims[0] != w->shape.dims[0]))
        return kas_check_refuse(check, "shape", "the bias %s should have shape [%" PRId64 "]",
                                kas_check_describe(bias).text, w->shape.dims[0]);
    return check_spatial(check, w->shape.dims[0]);
}

/* True when the window that starts at `start` (which may lie in the padding) holds an element of the input.
 */
static bool holds_element(const kas_window *window, int d, int64_t start, int64_t size)
{
    int64_t skip = start < 0 ? (-start + window->dilation[d] - 1) / window->dilation[d] : 0;
    return skip < window->kernel[d] && start + skip * window->dilation[d] < size;
}

/* An empty window has neither a maximum nor an average. Only those that start in the padding can be empty:
 * the first ones and, as starts grow, the last one. */
static kas_status check_windows_hold(const kas_check *check)
{
    const kas_window *window = &check->node->window;
    const kas_tensor *x = kas_check_input(check, 0), *output = kas_check_output(check);
    for (int d = 0; d < window->spatial; ++d) {
        int64_t size = x->shape.dims[1 + d], last = output->shape.dims[1 + d] - 1;
        bool holds = holds_element(window, d, last * window->stride[d] - window->before[d], size);
        int64_t start = -window->before[d];
        for (int64_t o = 0; holds && o <= last && start < 0; ++o, start += window->stride[d])
            holds = holds_element(window, d, start, size);
        if (!holds)
            return kas_check_refuse(
                check, "shape",
                "a window of dimension %d lies in the padding of %s alone: kernel %" PRId64
                ", padding %" PRId64 " and %" PRId64,
                1 + d, kas_check_describe(x).text, window->kernel[d], window->before[d], window->after[d]);
    }
    return NULL;
}

kas_status kas_check_pool(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0);
    KAS_TRY(check_range(check, x));
    KAS_TRY(check_spatial(check, x->shape.dims[0]));
    return check_windows_hold(check);
}
