/* How a reader refuses: always KAS_INVALID_ARTIFACT with one of the reasons that artifact.h lists. */
#ifndef KAS_ARTIFACT_REFUSE_H
#define KAS_ARTIFACT_REFUSE_H

#include "base/status.h"

#define KAS_REASON_MALFORMED   "malformed"
#define KAS_REASON_OPERATOR    "unsupported_operator"
#define KAS_REASON_UNSUPPORTED "unsupported"
#define KAS_REASON_MIXES_ROWS  "mixes_rows"
#define KAS_REASON_LIMIT       "limit"
#define KAS_REASON_SHAPE       "shape"
#define KAS_REASON_NOT_FINITE  "not_finite"
#define KAS_REASON_STATISTICS  "statistics"
#define KAS_REASON_CHECKSUM    "checksum"
#define KAS_REASON_SIGNATURE   "signature"
#define KAS_REASON_METADATA    "metadata"

/* A macro because the status records file and line. */
#define kas_refuse(reason, ...) kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, __VA_ARGS__), (reason))

#endif
