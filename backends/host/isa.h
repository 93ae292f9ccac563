/* Choosing among the instruction sets that are built in. */
#ifndef KAS_HOST_ISA_H
#define KAS_HOST_ISA_H

#include "backends/host/task.h"
#include "base/status.h"

extern const kas_host_isa kas_portable_isa;
#if defined(__x86_64__)
extern const kas_host_isa kas_sse2_isa, kas_avx2_isa, kas_avx512_isa;
#elif defined(__aarch64__)
extern const kas_host_isa kas_neon_isa;
#endif

/* The one named (NULL or "": the best that this processor has). */
kas_status kas_host_isa_choose(const char *name, const kas_host_isa **out) KAS_MUST_USE;

#endif
