/* The process's one Vulkan instance. It stays for the life of the process, as the loader does: drivers start
 * threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/vulkan/images.h"
#include "backends/vulkan/vulkan.h"
#include "base/log.h"

enum { PHYSICAL_MAX = KAS_VULKAN_DEVICES_MAX };

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of instance and creation */
static VkInstance instance;
static VkResult creation;

static atomic_bool complained;
static char complaint[512];                                        /* the first message */
static pthread_mutex_t complaint_lock = PTHREAD_MUTEX_INITIALIZER; /* guards complaint */

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT type,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    (void)severity;
    (void)type;
    (void)user;
    pthread_mutex_lock(&complaint_lock);
    if (!atomic_load(&complained)) snprintf(complaint, sizeof complaint, "%s", data->pMessage);
    atomic_store(&complained, true);
    pthread_mutex_unlock(&complaint_lock);
    return VK_FALSE;
}

kas_status kas_vulkan_check_validation(void)
{
    if (!atomic_load(&complained)) return NULL;
    pthread_mutex_lock(&complaint_lock);
    kas_status status = kas_fail(KAS_INTERNAL, ENGINE, "Vulkan validation: %s", complaint);
    pthread_mutex_unlock(&complaint_lock);
    return status;
}

static const VkDebugUtilsMessengerCreateInfoEXT messenger_info = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType =
        VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
    .pfnUserCallback = on_message,
};

static VkResult add_messenger(const kas_vulkan_symbols *vk)
{
    VkDebugUtilsMessengerEXT messenger;
    PFN_vkCreateDebugUtilsMessengerEXT make = (PFN_vkCreateDebugUtilsMessengerEXT)vk->vkGetInstanceProcAddr(
        instance, "vkCreateDebugUtilsMessengerEXT");
    return make ? make(instance, &messenger_info, NULL, &messenger) : VK_ERROR_EXTENSION_NOT_PRESENT;
}

static void create(void)
{
    static const VkValidationFeatureEnableEXT features[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    static const VkValidationFeaturesEXT validation = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                                       .enabledValidationFeatureCount = 1,
                                                       .pEnabledValidationFeatures = features};
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"};
    static const char *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    const kas_vulkan_symbols *vk = kas_vulkan_load();
    const char *wanted = getenv("KASMINA_VULKAN_VALIDATION");
    const bool validate = wanted && !strcmp(wanted, "1");
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pEngineName = "kasmina",
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &validation : NULL,
                                       .pApplicationInfo = &application,
                                       .enabledLayerCount = validate,
                                       .ppEnabledLayerNames = layers,
                                       .enabledExtensionCount = validate,
                                       .ppEnabledExtensionNames = extensions};
    creation = vk->vkCreateInstance(&info, NULL, &instance);
    if (creation == VK_SUCCESS && validate) creation = add_messenger(vk);
}

static bool is_usable(const kas_vulkan_symbols *vk, VkPhysicalDevice physical)
{
    VkPhysicalDeviceProperties properties;
    uint32_t family, timestamp_bits;
    vk->vkGetPhysicalDeviceProperties(physical, &properties);
    if (properties.apiVersion >= VK_API_VERSION_1_1 &&
        kas_vulkan_find_family(vk, physical, &family, &timestamp_bits))
        return true;
    kas_debug("vulkan", "%s is not used: no Vulkan 1.1 or no compute queue", properties.deviceName);
    return false;
}

kas_status kas_vulkan_find_devices(VkPhysicalDevice out[KAS_VULKAN_DEVICES_MAX], size_t *count)
{
    kas_vulkan_image image;
    VkPhysicalDevice found[PHYSICAL_MAX];
    uint32_t found_count = PHYSICAL_MAX;
    const kas_vulkan_symbols *vk = kas_vulkan_load();
    *count = 0;
    if (!vk || !kas_vulkan_image_of(KAS_KERNEL_linear, &image)) return NULL;
    pthread_once(&once, create);
    if (creation == VK_ERROR_INCOMPATIBLE_DRIVER) return NULL; /* the loader has no driver */
    if (creation != VK_SUCCESS) return kas_vulkan_fail(creation, "vkCreateInstance");
    VkResult result = vk->vkEnumeratePhysicalDevices(instance, &found_count, found);
    if (result == VK_ERROR_INITIALIZATION_FAILED) return NULL; /* as other loaders put it */
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        return kas_vulkan_fail(result, "vkEnumeratePhysicalDevices");
    for (uint32_t i = 0; i < found_count; ++i)
        if (is_usable(vk, found[i])) out[(*count)++] = found[i];
    return NULL;
}
