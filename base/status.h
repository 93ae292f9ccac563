/* Making and passing on statuses; what one is stands in <kasmina/status.h>.
 *
 *     KAS_TRY(kas_file_read(path, &bytes));                     early return of any failure
 *     return kas_fail(KAS_NOT_FOUND, CALLER, "no layer %s", n); a new failure, with file and line
 *     return kas_annotate(status, "loading %s", id);            "loading digits: no such file"
 */
#ifndef KAS_BASE_STATUS_H
#define KAS_BASE_STATUS_H

#include <kasmina/status.h>
#include <stdarg.h>

/* A new failure. The message is cut at 1,000 bytes; bytes below 0x20 and 0x7f in it are shown as '?', so that
 * text from an artifact or a client cannot move a terminal's cursor or forge a log line. */
kas_status kas_status_make(kas_code code, kas_blame blame, const char *file, int line, const char *format,
                           ...) __attribute__((format(printf, 5, 6), returns_nonnull)) KAS_MUST_USE;

#define kas_fail(code, blame, ...)                                                                           \
    KAS_STATUS_FAILED(kas_status_make((code), KAS_BLAME_##blame, __FILE__, __LINE__, __VA_ARGS__))

/* The status itself, which is a failure: said to compilers, and to clang's analyser, which looks into no
 * other file and believes no attribute. */
#define KAS_STATUS_FAILED(status)                                                                            \
    ({                                                                                                       \
        kas_status failed_ = (status);                                                                       \
        if (!failed_) __builtin_unreachable();                                                               \
        failed_;                                                                                             \
    })

/* Puts "…: " before the message. NULL stays NULL. When memory is out the status is returned as it was. */
void kas_status_prefix(kas_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define kas_annotate(status, ...)                                                                            \
    ({                                                                                                       \
        kas_status annotated_ = (status);                                                                    \
        kas_status_prefix(annotated_, __VA_ARGS__);                                                          \
        annotated_;                                                                                          \
    })

void kas_status_set_reason(kas_status status, const char *reason); /* both accept NULL */
void kas_status_set_native(kas_status status, int64_t native);

/* Sets the stable reason (a static string, not copied) or the native code; NULL stays NULL. */
#define kas_with_reason(status, reason)                                                                      \
    ({                                                                                                       \
        kas_status reasoned_ = (status);                                                                     \
        kas_status_set_reason(reasoned_, (reason));                                                          \
        reasoned_;                                                                                           \
    })
#define kas_with_native(status, native)                                                                      \
    ({                                                                                                       \
        kas_status numbered_ = (status);                                                                     \
        kas_status_set_native(numbered_, (native));                                                          \
        numbered_;                                                                                           \
    })

/* Keeps the first failure and appends the second's message in brackets: for a clean-up that fails too. */
kas_status kas_join(kas_status first, kas_status second) KAS_MUST_USE;

/* An independent copy (NULL for NULL). */
kas_status kas_status_clone(kas_status status) KAS_MUST_USE;

/* A failed system call: code KAS_IO (KAS_OUT_OF_MEMORY for ENOMEM, KAS_NO_ROOM for a full disk), native =
 * errno value, "what: strerror". */
kas_status kas_fail_errno(int error, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5), returns_nonnull)) KAS_MUST_USE;
#define kas_fail_os(error, ...) KAS_STATUS_FAILED(kas_fail_errno((error), __FILE__, __LINE__, __VA_ARGS__))

/* The static stand-in: "out of memory", blame engine. Never freed, safe to return anywhere. */
kas_status kas_status_out_of_memory(void) __attribute__((returns_nonnull, const)) KAS_MUST_USE;
#define kas_out_of_memory() KAS_STATUS_FAILED(kas_status_out_of_memory())

#define KAS_TRY(expression)                                                                                  \
    do {                                                                                                     \
        kas_status try_status_ = (expression);                                                               \
        if (__builtin_expect(try_status_ != 0, 0)) return try_status_;                                       \
    } while (0)

#endif
