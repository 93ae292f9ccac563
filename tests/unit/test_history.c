/* The error history: its windows go by monotonic time, whatever the clock on the wall is set to. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "engine/recovery/history.h"

enum { WINDOW_S = 300 };

static void note(kas_history *history, int64_t wall_s, int64_t now_s)
{
    kas_error_record record = {
        .size = sizeof record, .at_ns = wall_s * KAS_NS_PER_S, .type = KAS_ERROR_KERNEL_EXECUTION};
    strcpy(record.artifact_id, "digits");
    kas_history_note_error(history, &record, now_s * KAS_NS_PER_S);
}

static kas_recovery_stats stats_at(kas_history *history, int64_t now_s)
{
    kas_recovery_stats stats;
    kas_history_stats(history, now_s * KAS_NS_PER_S, &stats);
    return stats;
}

Test(history, a_clock_that_is_set_changes_no_window)
{
    kas_history *history;
    cr_assert_null(kas_history_create(&history));
    note(history, 1000000, 10); /* then the clock goes back by days, */
    note(history, 5, 11);
    note(history, 2000000, 12); /* and far ahead */
    kas_recovery_stats stats = stats_at(history, 12);
    cr_expect_float_eq(stats.error_rate_5min, 3.0 / WINDOW_S, 1e-12);
    cr_expect_eq(stats.problematic_kernel_count, 1);
    cr_expect_eq(stats.recent_recoveries, 3);
    stats = stats_at(history, 11 + WINDOW_S);
    cr_expect_float_eq(stats.error_rate_5min, 2.0 / WINDOW_S, 1e-12);
    cr_expect_eq(stats.problematic_kernel_count, 0);
    stats = stats_at(history, 13 + WINDOW_S);
    cr_expect_eq(stats.error_rate_5min, 0);
    cr_expect_eq(stats_at(history, 3700).recent_recoveries, 0);
    cr_expect_eq(stats.total_errors, 3);
    kas_error_record shown[3];
    cr_assert_eq(kas_history_list(history, shown, 3), 3);
    cr_expect_eq(shown[0].at_ns, 2000000 * KAS_NS_PER_S, "what is shown is the clock's time then");
    kas_history_destroy(history);
}
