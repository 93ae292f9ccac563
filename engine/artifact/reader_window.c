/* Windows over images, [batch, channels, one or two dimensions]: of convolutions and pooling. */
#include "engine/artifact/reader.h"
#include "engine/artifact/refuse.h"

kas_status kas_reader_check_conv(const kas_reader_value *x, const kas_reader_value *w,
                                 const kas_reader_value *bias, int64_t groups)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    if (w->rank != x->rank || w->batch_axis >= 0)
        return kas_refuse(KAS_REASON_SHAPE, "the weight has the shape %s for an input of %s",
                          kas_reader_shape_text(w, a), kas_reader_shape_text(x, b));
    if (groups < 1 || x->dims[1] % groups || w->dims[0] % groups || w->dims[1] != x->dims[1] / groups)
        return kas_refuse(KAS_REASON_SHAPE,
                          "%lld groups of the %lld channels do not fit the weight's shape %s",
                          (long long)groups, (long long)x->dims[1], kas_reader_shape_text(w, a));
    if (bias && (bias->rank != 1 || bias->dims[0] != w->dims[0] || bias->batch_axis >= 0))
        return kas_refuse(KAS_REASON_SHAPE, "the bias has the shape %s for %lld channels",
                          kas_reader_shape_text(bias, a), (long long)w->dims[0]);
    return NULL;
}

kas_status kas_reader_constant_index(kas_reader *reader, kas_reader_value *value, const char *what, int *out)
{
    *out = -1;
    if (!value) return NULL;
    KAS_TRY(kas_reader_tensor_index(reader, value, out));
    if (reader->graph->tensors[*out].constant) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the %s depends on the input; it must be constant", what);
}

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
