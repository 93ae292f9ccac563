/* Statuses of failed system calls: what a caller can do about them decides the code. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/status.h"

static kas_code code_of(int error)
{
    kas_status status = kas_fail_os(error, "writing %s", "a file");
    kas_code code = kas_status_code(status);
    cr_expect_eq(kas_status_native(status), error);
    cr_expect_eq(kas_status_blame(status), KAS_BLAME_ENGINE);
    kas_status_free(status);
    return code;
}

Test(status, system_calls)
{
    cr_expect_eq(code_of(EACCES), KAS_IO);
    cr_expect_eq(code_of(ENOMEM), KAS_OUT_OF_MEMORY);
    cr_expect_eq(code_of(ENOSPC), KAS_NO_ROOM);
    cr_expect_eq(code_of(EDQUOT), KAS_NO_ROOM);
}
