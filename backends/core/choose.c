#include "backends/core/choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { DEVICES_MAX = 64, LISTING_MAX = 900 };

/* ---- what there is ---- */

static void append(kas_text *text, const kas_device_info *info)
{
    kas_text_printf(text, " %s (%s)", info->id, info->name);
}

static void append_devices(const kas_driver *driver, kas_text *text)
{
    kas_device_info infos[DEVICES_MAX];
    size_t count = 0;
    kas_status status = kas_driver_list(driver, infos, DEVICES_MAX, &count);
    if (status) kas_text_printf(text, " %s (%s)", driver->name, kas_status_message(status));
    kas_status_free(status);
    if (status) return;
    for (size_t i = 0; i < count && i < DEVICES_MAX; ++i)
        append(text, &infos[i]);
}

kas_status kas_no_such_device(const char *name)
{
    kas_text text;
    kas_text_init(&text, LISTING_MAX);
    for (size_t i = 0; i < kas_driver_total; ++i)
        append_devices(kas_drivers[i], &text);
    kas_status status = kas_fail(KAS_NOT_FOUND, CALLER,
                                 "no device \"%.64s\"; there is:%s. Each goes by its id, or by its API with "
                                 "its UUID or part of its name behind a colon",
                                 name, text.bytes ? text.bytes : "");
    kas_text_finish(&text);
    return status;
}

/* ---- by index ---- */

/* The driver of "api:…", and what stands behind the colon. */
static const kas_driver *driver_of(const char *name, const char **rest)
{
    const char *colon = strchr(name, ':');
    if (!colon) return NULL;
    const size_t length = (size_t)(colon - name);
    *rest = colon + 1;
    for (size_t i = 0; i < kas_driver_total; ++i)
        if (strlen(kas_drivers[i]->name) == length && !memcmp(kas_drivers[i]->name, name, length))
            return kas_drivers[i];
    return NULL;
}

static bool is_index(const char *text, uint32_t *index)
{
    if (!*text || text[strspn(text, "0123456789")]) return false;
    const unsigned long value = strtoul(text, NULL, 10);
    *index = (uint32_t)value;
    return value < DEVICES_MAX;
}

/* ---- by UUID or part of a name ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Hyphens and the case of letters do not matter. */
static bool is_uuid(const char *text, const char *uuid)
{
    if (!*uuid) return false;
    for (;; ++text, ++uuid) {
        while (*text == '-')
            ++text;
        while (*uuid == '-')
            ++uuid;
        if (!*uuid) return !*text;
        if (!is_hex(*text) || strncasecmp(text, uuid, 1) != 0) return false;
    }
}

static bool has_name(const char *text, const kas_device_info *info)
{
    return *text && strcasestr(info->name, text);
}

static kas_status ambiguous(const char *name, const char *part, const kas_device_info *infos, size_t count)
{
    kas_text text;
    kas_text_init(&text, LISTING_MAX);
    for (size_t i = 0; i < count; ++i)
        if (has_name(part, &infos[i])) append(&text, &infos[i]);
    kas_status status =
        kas_fail(KAS_INVALID_ARGUMENT, CALLER, "device \"%.64s\" is more than one; say which by its id:%s",
                 name, text.bytes ? text.bytes : "");
    kas_text_finish(&text);
    return status;
}

static kas_status find(const char *name, const char *part, kas_choice *choice)
{
    kas_device_info infos[DEVICES_MAX];
    size_t count = 0, found = 0;
    KAS_TRY(kas_driver_list(choice->driver, infos, DEVICES_MAX, &count));
    if (count > DEVICES_MAX) count = DEVICES_MAX;
    for (uint32_t i = 0; i < count; ++i) {
        if (is_uuid(part, infos[i].uuid)) {
            choice->index = i;
            return NULL;
        }
        if (!has_name(part, &infos[i])) continue;
        if (found++ == 0) choice->index = i;
    }
    if (found > 1) return ambiguous(name, part, infos, count);
    return found ? NULL : kas_no_such_device(name);
}

/* ---- by nothing ---- */

/* The first device of its own; a driver that fails to list its devices has none for this purpose. */
static kas_status first(kas_choice *choice)
{
    kas_device_info infos[DEVICES_MAX];
    for (size_t d = 0; d < kas_driver_total; ++d) {
        size_t count = 0;
        kas_status status = kas_drivers[d]->list(infos, DEVICES_MAX, &count);
        if (status) count = 0;
        kas_status_free(status);
        for (uint32_t i = 0; i < count && i < DEVICES_MAX; ++i) {
            if (infos[i].software) continue;
            *choice = (kas_choice){.driver = kas_drivers[d], .index = i};
            return NULL;
        }
    }
    return kas_no_such_device("auto");
}

kas_status kas_choose(const char *name, kas_choice *out)
{
    const char *rest;
    *out = (kas_choice){0};
    if (!strcmp(name, "auto")) return first(out);
    out->driver = driver_of(name, &rest);
    if (!out->driver) return kas_no_such_device(name);
    return is_index(rest, &out->index) ? NULL : find(name, rest, out);
}

kas_status kas_device_resolve(const char *name, char id[KAS_DEVICE_ID_SIZE])
{
    kas_choice choice;
    size_t count = 0;
    KAS_TRY(kas_choose(name, &choice));
    KAS_TRY(kas_driver_list(choice.driver, NULL, 0, &count));
    if (choice.index >= count) return kas_no_such_device(name);
    snprintf(id, KAS_DEVICE_ID_SIZE, "%s:%u", choice.driver->name, choice.index);
    return NULL;
}

void kas_device_uuid_text(const uint8_t uuid[16], char out[KAS_DEVICE_UUID_SIZE])
{
    static const uint8_t unknown[16];
    char *at = out;
    *at = 0;
    for (size_t i = 0; i < 16 && memcmp(uuid, unknown, sizeof unknown) != 0; ++i)
        at += snprintf(at, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}
