/* The outcome of a call that can fail.
 *
 * A kas_status is an owned pointer: NULL means success; anything else describes one failure and must be
 * released with kas_status_free, or handed on to the caller. When memory for the description is out, a
 * static instance of code KAS_OUT_OF_MEMORY stands in, so that reporting a failure never fails.
 *
 * A status belongs to one thread at a time; the accessors may be called on it by its present owner only. */
#ifndef KASMINA_STATUS_H
#define KASMINA_STATUS_H

#include <stdint.h>

#include <kasmina/export.h>

/* What went wrong, as a caller would act on it. */
typedef enum kas_code {
    KAS_OK = 0,
    KAS_INVALID_ARGUMENT,    /* a value out of range or of the wrong shape; correct it */
    KAS_MALFORMED,           /* not in the format that it claims to be in */
    KAS_NOT_FOUND,           /* no such layer, seed, artifact, operation or device */
    KAS_CONFLICT,            /* at odds with the present state: a name taken, a checksum bound otherwise */
    KAS_ILLEGAL_TRANSITION,  /* the seed's lifecycle state does not allow it */
    KAS_INVALID_ARTIFACT,    /* the artifact's bytes or metadata are refused */
    KAS_INCOMPATIBLE_KERNEL, /* a valid kernel that this layer or device cannot take */
    KAS_UNSUPPORTED,         /* well-formed, but something that this build or device does not do */
    KAS_TOO_LARGE,           /* beyond a configured limit */
    KAS_NO_ROOM,             /* the kernel cache cannot make room, or the disk is full */
    KAS_OUT_OF_MEMORY,       /* host or device memory is out */
    KAS_UNAVAILABLE,         /* a remote or a device cannot serve now; try again later */
    KAS_DEADLINE,            /* it took longer than it may */
    KAS_CANCELLED,           /* somebody asked for it to end */
    KAS_DEVICE_LOST,         /* the device is gone; sticky */
    KAS_IO,                  /* the operating system refused a file or socket call */
    KAS_INTERNAL,            /* a defect of the engine */
    KAS_CODE_COUNT
} kas_code;

/* Whose fault it is: decides what recovery does and against whom an error counts. */
typedef enum kas_blame {
    KAS_BLAME_CALLER = 0,
    KAS_BLAME_KERNEL,
    KAS_BLAME_DEVICE,
    KAS_BLAME_ENGINE,
} kas_blame;

typedef struct kas_status_info *kas_status; /* NULL = success */

#define KAS_MUST_USE __attribute__((warn_unused_result))

/* Accessors; all accept NULL (success). Strings live as long as the status. */
KAS_API kas_code kas_status_code(kas_status status);
KAS_API kas_blame kas_status_blame(kas_status status);
KAS_API const char *kas_status_message(kas_status status); /* one sentence for a person; "" for success */
KAS_API const char *
kas_status_reason(kas_status status); /* a short stable word such as "mixes_rows"; "" if none */
KAS_API int64_t kas_status_native(kas_status status);   /* errno or the driver's own code; 0 if none */
KAS_API const char *kas_status_file(kas_status status); /* where it was first reported; "" for success */
KAS_API int kas_status_line(kas_status status);
KAS_API void kas_status_free(kas_status status);

/* The code's name in lower case with underscores: "invalid_argument". Static. */
KAS_API const char *kas_code_name(kas_code code);

#endif
