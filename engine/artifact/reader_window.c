/* Windows over images, [batch, channels, one or two dimensions]: of convolutions and pooling. */
#include "engine/artifact/reader.h"
#include "engine/artifact/refuse.h"

int64_t kas_reader_window_extent(const kas_window *window, int dimension)
{
    return window->dilation[dimension] * (window->kernel[dimension] - 1) + 1;
}

kas_status kas_reader_window_dims(const kas_reader_value *x, bool ceil_mode, kas_window *window,
                                  bool *extended, kas_reader_value *out)
{
    *extended = false;
    for (int i = 0; i < window->spatial; ++i) {
        const int64_t dim = x->dims[2 + i], stride = window->stride[i];
        const int64_t room = dim + window->before[i] + window->after[i] - kas_reader_window_extent(window, i);
        if (room < 0)
            return kas_refuse(KAS_REASON_SHAPE,
                              "a window of %lld does not fit into dimension %d of %lld with padding "
                              "%lld and %lld",
                              (long long)kas_reader_window_extent(window, i), 2 + i, (long long)dim,
                              (long long)window->before[i], (long long)window->after[i]);
        int64_t count = room / stride + 1;
        if (ceil_mode && room % stride != 0 && count * stride < dim + window->before[i]) {
            window->after[i] += stride - room % stride;
            *extended = true;
            ++count;
        }
        out->dims[2 + i] = count;
    }
    return NULL;
}
