/* What tests of backends/core expect, each failing the test that asks. The rig is that of doubling_rig.h. */
#ifndef KAS_TESTS_CORE_CHECKS_H
#define KAS_TESTS_CORE_CHECKS_H

#include "tests/devices/doubling_rig.h"

/* That it failed with the code and `part` in its message; frees it. */
void expect(kas_status status, kas_code code, const char *part);
void ok(kas_status status);

/* Submits the rig's list once and waits. `progress` may be NULL. */
kas_status run_rig(rig *r, kas_progress *progress) KAS_MUST_USE;
void expect_doubled(rig *r); /* Y is 2 X, all rows of it */

#endif
