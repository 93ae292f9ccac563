#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "tests/opencl/vendor_handles.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

vendor_control vendor;
const cl_icd_dispatch *first;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards memories */
static object *memories;                                 /* that live */

void *inner(void *handle, kind wanted)
{
    const object *known = handle;
    if (known && known->dispatch == &own && known->kind == wanted) return known->inner;
    atomic_fetch_add(&vendor.strangers, 1);
    return NULL;
}

void *wrap(void *handle, kind as)
{
    if (!handle) return NULL;
    object *made = calloc(1, sizeof *made);
    if (!made) abort();
    *made = (object){.dispatch = &own, .kind = as, .inner = handle};
    atomic_fetch_add(&vendor.objects[as - COUNTED], 1);
    return made;
}

void drop(void *handle)
{
    atomic_fetch_sub(&vendor.objects[((const object *)handle)->kind - COUNTED], 1);
    free(handle);
}

cl_int enqueued(cl_int code, cl_event *event)
{
    if (code != CL_SUCCESS) return code;
    size_t number = atomic_fetch_add(&vendor.enqueued, 1) + 1;
    if (!event) return code;
    object *made = wrap(*event, EVENT);
    made->number = number;
    *event = (cl_event)made;
    return code;
}

cl_int fault(const char *call)
{
    const char *wanted = vendor.failing_call;
    unsigned left = atomic_load(&vendor.failing);
    if (!wanted || strncmp(call, wanted, strlen(wanted)) != 0) return CL_SUCCESS;
    while (left > (vendor.failing_on ? 1u : 0u) &&
           !atomic_compare_exchange_weak(&vendor.failing, &left, left - 1))
        ;
    if (left != 1) return CL_SUCCESS;
    atomic_store(&vendor.failed, true);
    return CL_OUT_OF_RESOURCES;
}

cl_mem wrap_memory(cl_mem handle)
{
    object *made = wrap(handle, MEMORY);
    if (!made) return NULL;
    pthread_mutex_lock(&lock);
    made->next = memories;
    memories = made;
    pthread_mutex_unlock(&lock);
    return (cl_mem)made;
}

static bool is_memory(const void *handle)
{
    pthread_mutex_lock(&lock);
    const object *at = memories;
    while (at && at != handle)
        at = at->next;
    pthread_mutex_unlock(&lock);
    return at != NULL;
}

void forget_memory(const void *handle)
{
    pthread_mutex_lock(&lock);
    for (object **link = &memories; *link; link = &(*link)->next) {
        if (*link != handle) continue;
        *link = (*link)->next;
        break;
    }
    pthread_mutex_unlock(&lock);
}

const void *translated(size_t size, const void *value, cl_mem *memory)
{
    void *handle = NULL;
    if (size == sizeof handle) memcpy(&handle, value, size);
    if (!handle || !is_memory(handle)) return value;
    *memory = inner(handle, MEMORY);
    return memory;
}
