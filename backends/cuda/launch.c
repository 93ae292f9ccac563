#include "backends/cuda/tensor.h"

static cuda_address address_of(const kas_binding *binding, const kas_submission *submission)
{
    if (binding->slot == KAS_SLOT_FIXED) return kas_cuda_address_of(binding->buffer) + binding->offset_bytes;
    const kas_slot *slot = &submission->slots[binding->slot];
    return kas_cuda_address_of(slot->buffer) + slot->offset_bytes + binding->offset_bytes;
}

void kas_cuda_bind(const kas_submission *submission, size_t index, uint32_t rows, cuda_bound_launch *out)
{
    const kas_list *list = submission->list;
    const kas_launch *launch = &list->launches[index];
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    out->function = ((const kas_cuda_program *)list->programs[index])->function;
    out->grid_x = kas_grid_groups(&launch->grid_x, rows);
    out->grid_y = kas_grid_groups(&launch->grid_y, rows);
    out->block_x = info->group_items;
    for (uint32_t b = 0; b < info->buffers; ++b) {
        out->addresses[b] = address_of(&launch->bindings[b], submission);
        out->parameters[b] = &out->addresses[b];
    }
    out->parameters[info->buffers] = (void *)launch->args; /* the driver only reads it */
    if (kas_cuda_is_tensor(list, index))
        kas_cuda_tensor_aim(kas_cuda_device_of(list->device), launch, rows, out);
}
