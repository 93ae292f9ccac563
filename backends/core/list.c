/* Recording launches: everything that can be checked once is checked here, so that a submission has little to
 * do. */
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/lost.h"
#include "base/alloc.h"

enum { LAUNCHES_MAX = 65536, GROUPS_MAX = INT32_MAX };

uint32_t kas_grid_groups(const kas_grid_rule *rule, uint32_t rows)
{
    uint64_t items = (uint64_t)rule->per_row * rows, groups;
    if (__builtin_add_overflow(items, rule->fixed, &items)) return 0;
    groups = items / rule->divisor + (items % rule->divisor != 0);
    if (groups > GROUPS_MAX) return 0;
    return groups ? (uint32_t)groups : 1;
}

/* Rows beyond which a rule would ask for more groups than the device takes (limit 0: than anything takes). */
static uint32_t most_rows(const kas_grid_rule *rule, uint32_t limit)
{
    uint64_t items = (uint64_t)rule->divisor * (limit > 0 && limit < GROUPS_MAX ? limit : GROUPS_MAX);
    if (rule->fixed > items) return 0;
    if (rule->per_row == 0) return UINT32_MAX;
    uint64_t rows = (items - rule->fixed) / rule->per_row;
    return rows > UINT32_MAX ? UINT32_MAX : (uint32_t)rows;
}

uint32_t kas_launch_rows_max(const kas_device *device, const kas_launch *launch)
{
    uint32_t x = most_rows(&launch->grid_x, device->limits.max_groups_x);
    uint32_t y = most_rows(&launch->grid_y, device->limits.max_groups_y);
    return x < y ? x : y;
}

static kas_status refuse(const kas_list *list, size_t launch, const char *what, uint64_t value)
{
    return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "list \"%s\", launch %zu: %s (%llu)", list->label, launch,
                    what, (unsigned long long)value);
}

static kas_status check_binding(kas_list *list, size_t launch, const kas_binding *binding)
{
    size_t offset = binding->offset_bytes;
    if (offset % list->device->limits.buffer_alignment)
        return refuse(list, launch, "an offset that is not aligned as the device asks for", offset);
    if (binding->slot == KAS_SLOT_FIXED) {
        if (!binding->buffer || binding->buffer->device != list->device)
            return refuse(list, launch, "a fixed binding without a buffer of this device", binding->slot);
        if (offset >= binding->buffer->size_bytes)
            return refuse(list, launch, "an offset beyond its buffer", offset);
        return NULL;
    }
    if (binding->slot >= KAS_SLOT_COUNT) return refuse(list, launch, "no such slot", binding->slot);
    list->slots |= 1u << binding->slot;
    if (offset > list->slot_bytes[binding->slot]) list->slot_bytes[binding->slot] = offset;
    return NULL;
}

static kas_status check_launch(kas_list *list, size_t i, const kas_launch *launch)
{
    if ((unsigned)launch->kernel >= KAS_KERNEL_COUNT)
        return refuse(list, i, "no such kernel", launch->kernel);
    if (!launch->grid_x.divisor || !launch->grid_y.divisor)
        return refuse(list, i, "a grid divisor of zero", 0);
    if (launch->precision > KAS_PRECISION_BF16 ||
        (launch->precision && !kas_kernel_is_linear(launch->kernel)))
        return refuse(list, i, "a precision that its kernel does not come in", launch->precision);
    uint32_t rows = kas_launch_rows_max(list->device, launch);
    if (rows < list->rows_max) list->rows_max = rows;
    if (list->rows_max == 0)
        return refuse(list, i, "a grid of more groups than the device takes", launch->kernel);
    if (launch->bindings[0].slot != KAS_SLOT_PARAMS)
        return refuse(list, i, "binding 0 is not the parameter block", launch->bindings[0].slot);
    uint32_t buffers = kas_kernel_get_info(launch->kernel)->buffers;
    for (uint32_t b = 0; b < buffers; ++b)
        KAS_TRY(check_binding(list, i, &launch->bindings[b]));
    return NULL;
}

/* Copies launches with the buffers that they fix, and finds their programs. list->count counts those with
 * retained buffers, so that dropping the list is right at any point. */
static kas_status record(kas_list *list, const kas_launch *launches, size_t count)
{
    kas_launch *copies = kas_alloc_array(count, sizeof *copies);
    list->launches = copies;
    const kas_program **programs = kas_alloc_array(count, sizeof *programs);
    list->programs = programs;
    if (!copies || !programs) return kas_out_of_memory();
    for (size_t i = 0; i < count; ++i) {
        KAS_TRY(check_launch(list, i, &launches[i]));
        KAS_TRY(kas_device_program(list->device, launches[i].kernel, &programs[i]));
        copies[i] = launches[i];
        uint32_t buffers = kas_kernel_get_info(launches[i].kernel)->buffers;
        for (uint32_t b = 0; b < buffers; ++b)
            if (copies[i].bindings[b].slot == KAS_SLOT_FIXED) kas_buffer_retain(copies[i].bindings[b].buffer);
        list->count = i + 1;
    }
    return NULL;
}

static void drop_parts(kas_list **parts, size_t count)
{
    for (size_t i = 0; parts && i < count; ++i)
        kas_list_release(parts[i]);
    kas_free(parts);
}

static void drop(kas_list *list)
{
    drop_parts(atomic_load_explicit(&list->parts, memory_order_acquire), list->count);
    for (size_t i = 0; i < list->count; ++i) {
        const kas_launch *launch = &list->launches[i];
        uint32_t buffers = kas_kernel_get_info(launch->kernel)->buffers;
        for (uint32_t b = 0; b < buffers; ++b)
            if (launch->bindings[b].slot == KAS_SLOT_FIXED) kas_buffer_release(launch->bindings[b].buffer);
    }
    kas_free((void *)list->launches);
    kas_free((void *)list->programs);
    kas_free(list);
}

kas_status kas_list_create(kas_device *device, const kas_launch *launches, size_t count, const char *label,
                           kas_list **out)
{
    *out = NULL;
    KAS_TRY(kas_device_check(device));
    const kas_list_ops *ops = device->ops->list;
    kas_list *list = kas_calloc(1, ops ? ops->size_bytes : sizeof *list);
    if (!list) return kas_out_of_memory();
    list->device = device;
    list->rows_max = UINT32_MAX;
    kas_label_copy(list->label, label);
    atomic_init(&list->references, 1);
    kas_status status = count > 0 && count <= LAUNCHES_MAX
                            ? record(list, launches, count)
                            : refuse(list, count, "a list holds 1 to so many launches", LAUNCHES_MAX);
    if (!status && ops) status = kas_device_outcome(device, ops->init(list));
    if (status) {
        status = kas_annotate(status, "recording \"%s\" on %s", list->label, device->info.id);
        drop(list);
        return status;
    }
    kas_device_retain(device);
    *out = list;
    return NULL;
}

kas_list *kas_list_retain(kas_list *list)
{
    atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
    return list;
}

static void free_list(kas_kept *kept)
{
    kas_list *list = (kas_list *)((char *)kept - offsetof(kas_list, kept));
    kas_device *device = list->device;
    if (device->ops->list) device->ops->list->finish(list);
    drop(list);
    kas_device_release(device);
}

void kas_list_release(kas_list *list)
{
    if (!list || atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) != 1) return;
    if (!kas_device_keeps(list->device, &list->kept, free_list)) free_list(&list->kept);
}

static kas_status make_parts(const kas_list *list, kas_list ***out)
{
    kas_list **parts = *out = kas_calloc(list->count, sizeof *parts);
    kas_status status = parts ? NULL : kas_out_of_memory();
    for (size_t i = 0; i < list->count && !status; ++i)
        status = kas_list_create(list->device, &list->launches[i], 1, list->label, &parts[i]);
    if (status) drop_parts(parts, list->count);
    return status;
}

kas_status kas_list_parts(kas_list *list, kas_list *const **out)
{
    kas_list **parts = atomic_load_explicit(&list->parts, memory_order_acquire), **made;
    if (!parts) {
        KAS_TRY(make_parts(list, &made));
        if (atomic_compare_exchange_strong(&list->parts, &parts, made))
            parts = made;
        else /* another queue was faster */
            drop_parts(made, list->count);
    }
    *out = parts;
    return NULL;
}

size_t kas_list_length(const kas_list *list)
{
    return list->count;
}
