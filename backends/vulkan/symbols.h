/* The Vulkan loader, opened at run time at the first call that needs it: a machine without it, or a process
 * that uses no Vulkan device, pays nothing. */
#ifndef KAS_VULKAN_SYMBOLS_H
#define KAS_VULKAN_SYMBOLS_H

#include <stdbool.h>
#include <vulkan/vulkan.h>

#include "base/status.h"

/* Every entry point that this backend calls; all are Vulkan 1.1's own, which the loader exports. */
#define KAS_VULKAN_SYMBOLS(X)                                                                                \
    X(vkAllocateCommandBuffers)                                                                              \
    X(vkAllocateDescriptorSets)                                                                              \
    X(vkAllocateMemory)                                                                                      \
    X(vkBeginCommandBuffer)                                                                                  \
    X(vkBindBufferMemory)                                                                                    \
    X(vkCmdBindDescriptorSets)                                                                               \
    X(vkCmdBindPipeline)                                                                                     \
    X(vkCmdCopyBuffer)                                                                                       \
    X(vkCmdDispatchIndirect)                                                                                 \
    X(vkCmdFillBuffer)                                                                                       \
    X(vkCmdPipelineBarrier)                                                                                  \
    X(vkCmdPushConstants)                                                                                    \
    X(vkCmdResetQueryPool)                                                                                   \
    X(vkCmdWriteTimestamp)                                                                                   \
    X(vkCreateBuffer)                                                                                        \
    X(vkCreateCommandPool)                                                                                   \
    X(vkCreateComputePipelines)                                                                              \
    X(vkCreateDescriptorPool)                                                                                \
    X(vkCreateDescriptorSetLayout)                                                                           \
    X(vkCreateDevice)                                                                                        \
    X(vkCreateFence)                                                                                         \
    X(vkCreateInstance)                                                                                      \
    X(vkCreatePipelineCache)                                                                                 \
    X(vkCreatePipelineLayout)                                                                                \
    X(vkCreateQueryPool)                                                                                     \
    X(vkCreateShaderModule)                                                                                  \
    X(vkDestroyBuffer)                                                                                       \
    X(vkDestroyCommandPool)                                                                                  \
    X(vkDestroyDescriptorPool)                                                                               \
    X(vkDestroyDescriptorSetLayout)                                                                          \
    X(vkDestroyDevice)                                                                                       \
    X(vkDestroyFence)                                                                                        \
    X(vkDestroyPipeline)                                                                                     \
    X(vkDestroyPipelineCache)                                                                                \
    X(vkDestroyPipelineLayout)                                                                               \
    X(vkDestroyQueryPool)                                                                                    \
    X(vkDestroyShaderModule)                                                                                 \
    X(vkEndCommandBuffer)                                                                                    \
    X(vkEnumerateDeviceExtensionProperties)                                                                  \
    X(vkEnumeratePhysicalDevices)                                                                            \
    X(vkFreeCommandBuffers)                                                                                  \
    X(vkFreeMemory)                                                                                          \
    X(vkGetBufferMemoryRequirements)                                                                         \
    X(vkGetDeviceQueue)                                                                                      \
    X(vkGetFenceStatus)                                                                                      \
    X(vkGetInstanceProcAddr)                                                                                 \
    X(vkGetPhysicalDeviceFeatures2)                                                                          \
    X(vkGetPhysicalDeviceMemoryProperties)                                                                   \
    X(vkGetPhysicalDeviceMemoryProperties2)                                                                  \
    X(vkGetPhysicalDeviceProperties)                                                                         \
    X(vkGetPhysicalDeviceProperties2)                                                                        \
    X(vkGetPhysicalDeviceQueueFamilyProperties)                                                              \
    X(vkGetPipelineCacheData)                                                                                \
    X(vkGetQueryPoolResults)                                                                                 \
    X(vkMapMemory)                                                                                           \
    X(vkQueueSubmit)                                                                                         \
    X(vkResetCommandPool)                                                                                    \
    X(vkResetFences)                                                                                         \
    X(vkUpdateDescriptorSets)

typedef struct kas_vulkan_symbols {
#define KAS_VULKAN_MEMBER(name) __typeof__(name) *name;
    KAS_VULKAN_SYMBOLS(KAS_VULKAN_MEMBER)
#undef KAS_VULKAN_MEMBER
} kas_vulkan_symbols;

/* The loader's entry points; opens it at the first call. NULL where it is not installed or lacks one of them
 * (kas_debug area "vulkan" says which). Any thread. */
const kas_vulkan_symbols *kas_vulkan_load(void);
/* Whether it is open already. Any thread. */
bool kas_vulkan_is_loaded(void);

#endif
