#include "tests/unit/core_checks.h"

#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/backend.h"
#include "base/clock.h"

void expect(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

kas_status run_rig(rig *r, kas_progress *progress)
{
    kas_submission submission = rig_submission(r);
    KAS_TRY(kas_queue_submit(r->queue, &submission, 1, RIG_ROWS));
    return kas_queue_wait(r->queue, KAS_NEVER, progress);
}

void expect_doubled(rig *r)
{
    const float *y = kas_buffer_host(r->y);
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i)
        cr_expect_eq(y[i], 2.0f * (float)i);
}
