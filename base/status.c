#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { MESSAGE_MAX = 1000 };

struct kas_status_info {
    kas_code code;
    kas_blame blame;
    const char *file; /* static storage: __FILE__ */
    int line;
    int64_t native;
    const char *reason; /* static storage */
    char *message;      /* owned; points into the static instance for the stand-in */
};

static char out_of_memory_message[] = "out of memory";
static struct kas_status_info out_of_memory = {
    .code = KAS_OUT_OF_MEMORY,
    .blame = KAS_BLAME_ENGINE,
    .file = __FILE__,
    .line = 0,
    .reason = "",
    .message = out_of_memory_message,
};

kas_status kas_status_out_of_memory(void)
{
    return &out_of_memory;
}

static void make_printable(char *text)
{
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) *text = '?';
    }
}

static kas_status make(kas_code code, kas_blame blame, const char *file, int line, char *message)
{
    struct kas_status_info *status = kas_alloc(sizeof *status);
    if (!status) {
        kas_free(message);
        return &out_of_memory;
    }
    *status = (struct kas_status_info){
        .code = code, .blame = blame, .file = file, .line = line, .reason = "", .message = message};
    return status;
}

static char *format_message(const char *suffix, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *format_message(const char *suffix, const char *format, va_list args)
{
    char text[MESSAGE_MAX + 1];
    int written = vsnprintf(text, sizeof text, format, args);
    if (written < 0) text[0] = 0;
    make_printable(text);
    size_t head = strlen(text), tail = strlen(suffix);
    if (tail > MESSAGE_MAX - head) tail = MESSAGE_MAX - head;
    char *message = kas_alloc(head + tail + 1);
    if (!message) return NULL;
    memcpy(message, text, head);
    memcpy(message + head, suffix, tail);
    message[head + tail] = 0;
    return message;
}

kas_status kas_status_make(kas_code code, kas_blame blame, const char *file, int line, const char *format,
                           ...)
{
    va_list args;
    va_start(args, format);
    char *message = format_message("", format, args);
    va_end(args);
    return message ? make(code, blame, file, line, message) : &out_of_memory;
}

void kas_status_prefix(kas_status status, const char *format, ...)
{
    if (!status || status == &out_of_memory) return;
    char suffix[MESSAGE_MAX + 3];
    snprintf(suffix, sizeof suffix, ": %s", status->message);
    va_list args;
    va_start(args, format);
    char *message = format_message(suffix, format, args);
    va_end(args);
    if (!message) return;
    kas_free(status->message);
    status->message = message;
}

void kas_status_set_reason(kas_status status, const char *reason)
{
    if (status && status != &out_of_memory) status->reason = reason;
}

void kas_status_set_native(kas_status status, int64_t native)
{
    if (status && status != &out_of_memory) status->native = native;
}

kas_status kas_join(kas_status first, kas_status second)
{
    if (!first) return second;
    if (!second) return first;
    if (first != &out_of_memory) {
        char text[MESSAGE_MAX + 1];
        snprintf(text, sizeof text, "%.*s [then: %.*s]", MESSAGE_MAX / 2, first->message,
                 MESSAGE_MAX / 2 - 16, second->message);
        size_t length = strlen(text);
        char *message = kas_alloc(length + 1);
        if (message) {
            memcpy(message, text, length + 1);
            kas_free(first->message);
            first->message = message;
        }
    }
    kas_status_free(second);
    return first;
}

kas_status kas_status_clone(kas_status status)
{
    if (!status || status == &out_of_memory) return status;
    kas_status copy =
        kas_status_make(status->code, status->blame, status->file, status->line, "%s", status->message);
    return kas_with_native(kas_with_reason(copy, status->reason), status->native);
}

static kas_code code_of(int error)
{
    switch (error) {
    case ENOMEM:
        return KAS_OUT_OF_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KAS_NO_ROOM;
    default:
        return KAS_IO;
    }
}

kas_status kas_fail_errno(int error, const char *file, int line, const char *format, ...)
{
    char reason[128], suffix[160];
    snprintf(suffix, sizeof suffix, ": %s", strerror_r(error, reason, sizeof reason));
    va_list args;
    va_start(args, format);
    char *message = format_message(suffix, format, args);
    va_end(args);
    if (!message) return &out_of_memory;
    return kas_with_native(make(code_of(error), KAS_BLAME_ENGINE, file, line, message), error);
}

kas_code kas_status_code(kas_status status)
{
    return status ? status->code : KAS_OK;
}

kas_blame kas_status_blame(kas_status status)
{
    return status ? status->blame : KAS_BLAME_CALLER;
}

const char *kas_status_message(kas_status status)
{
    return status ? status->message : "";
}

const char *kas_status_reason(kas_status status)
{
    return status ? status->reason : "";
}

int64_t kas_status_native(kas_status status)
{
    return status ? status->native : 0;
}

const char *kas_status_file(kas_status status)
{
    return status ? status->file : "";
}

int kas_status_line(kas_status status)
{
    return status ? status->line : 0;
}

void kas_status_free(kas_status status)
{
    if (!status || status == &out_of_memory) return;
    kas_free(status->message);
    kas_free(status);
}

const char *kas_code_name(kas_code code)
{
    static const char *const names[KAS_CODE_COUNT] = {
        [KAS_OK] = "ok",
        [KAS_INVALID_ARGUMENT] = "invalid_argument",
        [KAS_MALFORMED] = "malformed",
        [KAS_NOT_FOUND] = "not_found",
        [KAS_CONFLICT] = "conflict",
        [KAS_ILLEGAL_TRANSITION] = "illegal_transition",
        [KAS_INVALID_ARTIFACT] = "invalid_artifact",
        [KAS_INCOMPATIBLE_KERNEL] = "incompatible_kernel",
        [KAS_UNSUPPORTED] = "unsupported",
        [KAS_TOO_LARGE] = "too_large",
        [KAS_NO_ROOM] = "no_room",
        [KAS_OUT_OF_MEMORY] = "out_of_memory",
        [KAS_UNAVAILABLE] = "unavailable",
        [KAS_DEADLINE] = "deadline",
        [KAS_CANCELLED] = "cancelled",
        [KAS_DEVICE_LOST] = "device_lost",
        [KAS_IO] = "io",
        [KAS_INTERNAL] = "internal",
    };
    return code < KAS_CODE_COUNT ? names[code] : "unknown";
}
