/* The names that the API has for its enumerations, and which names it takes. */
#include <ctype.h>
#include <kasmina/kasmina.h>
#include <string.h>

/* "" for what is out of range. */
static const char *word(const char *const *words, size_t count, unsigned value)
{
    return value < count && words[value] ? words[value] : "";
}
#define WORD(words, value) word((words), sizeof(words) / sizeof *(words), (unsigned)(value))

const char *kas_error_type_name(kas_error_type type)
{
    static const char *const words[KAS_ERROR_TYPE_COUNT] = {
        [KAS_ERROR_NONE] = "",
        [KAS_ERROR_KERNEL_EXECUTION] = "kernel_execution",
        [KAS_ERROR_KERNEL_LOADING] = "kernel_loading",
        [KAS_ERROR_KERNEL_VALIDATION] = "kernel_validation",
        [KAS_ERROR_MEMORY_OVERFLOW] = "memory_overflow",
        [KAS_ERROR_DEVICE_ERROR] = "device_error",
        [KAS_ERROR_NETWORK_ERROR] = "network_error",
        [KAS_ERROR_CIRCUIT_BREAKER] = "circuit_breaker",
        [KAS_ERROR_TIMEOUT] = "timeout",
        [KAS_ERROR_UNKNOWN] = "unknown",
    };
    return WORD(words, type);
}

const char *kas_operation_state_name(kas_operation_state state)
{
    static const char *const words[] = {"queued", "running", "succeeded", "failed", "cancelled"};
    return WORD(words, state);
}

const char *kas_stage_name(kas_stage stage)
{
    static const char *const words[] = {"lookup", "fetch",   "verify",  "decode",
                                        "check",  "compile", "publish", "done"};
    return WORD(words, stage);
}

const char *kas_tier_name(kas_tier tier)
{
    static const char *const words[] = {"", "device", "host", "disk", "registry"};
    return WORD(words, tier);
}

const char *kas_change_name(kas_change change)
{
    static const char *const words[] = {"", "load", "unload", "reset", "fossilize", "alpha"};
    return WORD(words, change);
}

static bool is_valid(const char *name, const char *also)
{
    size_t length = strnlen(name, KAS_NAME_SIZE);
    if (length == 0 || length == KAS_NAME_SIZE || !strcmp(name, ".") || !strcmp(name, "..")) return false;
    for (size_t i = 0; i < length; ++i) {
        unsigned char byte = (unsigned char)name[i];
        if (byte >= 0x80 || (!isalnum(byte) && !strchr(also, byte))) return false;
    }
    return true;
}

bool kas_name_is_valid(const char *name)
{
    return is_valid(name, "._-");
}

bool kas_artifact_id_is_valid(const char *id)
{
    return is_valid(id, "._-:/");
}
