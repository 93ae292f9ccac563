/* Putting work on a device: uploading a planned segment, and making one of a single linear map. On tasks'
 * threads. */
#ifndef KAS_CONTROL_UPLOAD_H
#define KAS_CONTROL_UPLOAD_H

#include "engine/control/engine.h"

kas_status kas_upload(kas_engine *engine, kas_device *device, const kas_segment_plan *plan,
                      kas_segment **out) KAS_MUST_USE;

/* The plan of y = x·Wᵀ + b: W is [outputs, inputs], b is [outputs] or NULL; both are copied. */
kas_status kas_plan_linear(kas_device *device, const float *weight, const float *bias, size_t inputs,
                           size_t outputs, kas_segment_plan **out) KAS_MUST_USE;
/* Planned and uploaded. */
kas_status kas_upload_linear(kas_engine *engine, kas_device *device, const float *weight, const float *bias,
                             size_t inputs, size_t outputs, kas_segment **out) KAS_MUST_USE;

#endif
