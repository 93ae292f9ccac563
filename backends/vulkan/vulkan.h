/* The Vulkan backend's objects. 1.1 is the floor. Private to backends/vulkan. */
#ifndef KAS_VULKAN_H
#define KAS_VULKAN_H

#include "backends/core/backend.h"
#include "backends/vulkan/arena.h"
#include "backends/vulkan/driver.h"
#include "backends/vulkan/symbols.h"

extern const kas_device_ops kas_vulkan_device_ops;
extern const kas_buffer_ops kas_vulkan_buffer_ops;
extern const kas_program_ops kas_vulkan_program_ops;
extern const kas_list_ops kas_vulkan_list_ops;
extern const kas_queue_ops kas_vulkan_queue_ops;

enum { KAS_VULKAN_DEVICES_MAX = 64 };

/* What a driver's compiled code depends on. */
typedef struct kas_vulkan_identity {
    uint32_t vendor, device, driver_version;
    uint8_t cache_uuid[VK_UUID_SIZE];
} kas_vulkan_identity;

typedef struct kas_vulkan_device {
    kas_device base;
    const kas_vulkan_symbols *vk;
    VkPhysicalDevice physical;
    VkDevice device;
    kas_vulkan_identity identity;
    VkQueue queue;
    pthread_mutex_t queue_lock; /* guards queue: kas_queues of several threads share it */
    uint32_t family;
    uint32_t timestamp_bits; /* 0: this family has no timestamps */
    double timestamp_ns;     /* of one tick */
    kas_vulkan_arena buffers;
    kas_vulkan_arena staging; /* visible to the host, coherent */
    uint32_t heap;            /* that buffers are of */
    uint32_t subgroup_size;   /* of full subgroups that shuffle; 0: it has none */
    bool unified;             /* buffers' memory is visible to the host, too: nothing goes through staging */
    atomic_uint_fast64_t serials; /* given out so far */
    bool has_budget;              /* VK_EXT_memory_budget: the driver tells what is left */
} kas_vulkan_device;

/* A buffer with its memory. */
typedef struct kas_vulkan_memory {
    VkBuffer buffer;
    kas_vulkan_part part;
} kas_vulkan_memory;

typedef struct kas_vulkan_buffer {
    kas_buffer base;
    kas_vulkan_memory memory;
    uint64_t serial; /* of its device's lists and buffers; never given out again */
} kas_vulkan_buffer;

typedef struct kas_vulkan_list {
    kas_list base;
    uint64_t serial;
} kas_vulkan_list;

typedef struct kas_vulkan_program {
    kas_program base;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline pipeline;
} kas_vulkan_program;

static inline kas_vulkan_device *kas_vulkan_device_of(kas_device *device)
{
    return (kas_vulkan_device *)device;
}

static inline uint64_t kas_vulkan_next_serial(kas_vulkan_device *device) /* from 1 on */
{
    return atomic_fetch_add_explicit(&device->serials, 1, memory_order_relaxed) + 1;
}

/* This process's devices with Vulkan 1.1, compute queues and memory for buffers, in the loader's order; none
 * without a loader or a driver. Makes the process's one instance at the first call. Any thread. */
kas_status kas_vulkan_find_devices(VkPhysicalDevice out[KAS_VULKAN_DEVICES_MAX], size_t *count) KAS_MUST_USE;

/* With KASMINA_VULKAN_VALIDATION=1 in the environment: fails from the first message of the validation layer
 * on. */
kas_status kas_vulkan_check_validation(void) KAS_MUST_USE;

/* As kas_driver.list, by asking the vendors' drivers in this process. */
kas_status kas_vulkan_list_here(kas_device_info *infos, size_t capacity, size_t *count) KAS_MUST_USE;

/* What a device says of itself: name, memory, limits. */
void kas_vulkan_describe(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, uint32_t index,
                         kas_device_info *info, kas_device_limits *limits);

/* The size of a compute shader's subgroups where they can be had full (VK_EXT_subgroup_size_control) and
 * items hand values down within them; else 0, and with KASMINA_VULKAN_SUBGROUPS=0 in the environment. */
uint32_t kas_vulkan_subgroup_size(const kas_vulkan_symbols *vk, VkPhysicalDevice physical);
bool kas_vulkan_has_extension(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, const char *name);

/* The first compute family, one without graphics where there is one; false where there is none. */
bool kas_vulkan_find_family(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, uint32_t *family,
                            uint32_t *timestamp_bits);

/* Types of memory, as indices. */
typedef struct kas_vulkan_memory_types {
    uint32_t buffer, staging;
    bool unified; /* the host sees buffers */
} kas_vulkan_memory_types;

/* Among `allowed` (bits); false where there is none for buffers. With KASMINA_VULKAN_DISCRETE=1 in the
 * environment no memory is taken for unified, so that tests reach staging on a device that has no need of it.
 */
bool kas_vulkan_choose_memory(const VkPhysicalDeviceMemoryProperties *memory, VkPhysicalDeviceType type,
                              uint32_t allowed, kas_vulkan_memory_types *out);

/* The arenas of an open device. KAS_UNSUPPORTED where it has no memory for buffers. */
kas_status kas_vulkan_memory_init(kas_vulkan_device *device, VkPhysicalDeviceType type) KAS_MUST_USE;
void kas_vulkan_memory_finish(kas_vulkan_device *device, bool lost);
/* As kas_device_ops.memory_free. */
size_t kas_vulkan_memory_left(kas_device *device);

/* Size > 0. KAS_OUT_OF_MEMORY when there is no room; *out is then zero. Any thread. */
kas_status kas_vulkan_memory_make(kas_vulkan_arena *arena, size_t size_bytes,
                                  kas_vulkan_memory *out) KAS_MUST_USE;
void kas_vulkan_memory_free(kas_vulkan_arena *arena, kas_vulkan_memory *memory);

/* From the build's SPIR-V, or from what the driver made of it before (stored.h). program->layout is there. */
kas_status kas_vulkan_make_pipeline(kas_vulkan_program *program) KAS_MUST_USE;
/* Whether data of a pipeline cache is this device's, by its header. */
bool kas_vulkan_cache_is_ours(const kas_vulkan_identity *identity, const void *data, size_t size_bytes);

/* A failed call as a status: memory → KAS_OUT_OF_MEMORY (blame device), a device that is gone →
 * KAS_DEVICE_LOST, anything else KAS_INTERNAL; native: Vulkan's result. `what` names the call. */
kas_status kas_vulkan_fail_at(VkResult result, const char *file, int line, const char *what)
    __attribute__((returns_nonnull)) KAS_MUST_USE;
#define kas_vulkan_fail(result, what)                                                                        \
    KAS_STATUS_FAILED(kas_vulkan_fail_at((result), __FILE__, __LINE__, (what)))
/* Returns from the calling function with the failure of `call`, if it fails. */
#define KAS_VULKAN_TRY(vk, name, ...)                                                                        \
    do {                                                                                                     \
        VkResult result_ = (vk)->name(__VA_ARGS__);                                                          \
        if (result_ != VK_SUCCESS) return kas_vulkan_fail(result_, #name);                                   \
    } while (0)

#endif
