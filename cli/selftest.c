#include "cli/selftest.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "backends/core/device.h"
#include "cli/command.h"
#include "cli/table.h"
#include "selftest/operators.h"

enum { LISTED_MAX = 16, DEVICES_MAX = 64, COLUMNS_MAX = DEVICES_MAX + 1 };

static json_t *describe_operator(const char *name, const selftest_cell *cell)
{
    json_t *worst = isfinite(cell->worst) ? json_real(cell->worst) : json_null();
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "operator", name, "cases", (json_int_t)cell->cases, "wrong",
                     (json_int_t)cell->wrong, "batch_dependent", (json_int_t)cell->dependent, "worst_share",
                     worst);
}

static bool passes(const selftest_cell *cell)
{
    return cell->wrong == 0 && cell->dependent == 0;
}

/* A device's object: what it is, whether all of it passed, and its operators. */
static json_t *test_device(const selftest_suite *suite, const kas_device_info *info)
{
    selftest_cell cells[SELFTEST_ROWS_MAX];
    json_t *operators = json_array();
    bool passed = true;
    selftest_run(suite, info->id, info->id, cells);
    for (size_t row = 0; row < selftest_row_count(suite); ++row) {
        passed = passed && passes(&cells[row]);
        json_array_append_new(operators, describe_operator(selftest_row_name(suite, row), &cells[row]));
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", info->id, "kind", info->kind, "name", info->name,
                     "passed", passed, "operators", operators);
}

/* All devices of a driver; false where one fails or the driver cannot list them. */
static bool test_driver(const selftest_suite *suite, const kas_driver *driver, json_t *devices,
                        json_t *not_run)
{
    kas_device_info infos[LISTED_MAX];
    size_t count = 0;
    kas_status status = kas_driver_list(driver, infos, LISTED_MAX, &count);
    if (status) {
        cli_failure("%s: %s", kas_driver_name(driver), kas_status_message(status));
        kas_status_free(status);
        return false;
    }
    if (count == 0)
        json_array_append_new(
            not_run, json_pack("{s:s, s:s}", "driver", kas_driver_name(driver), "reason", "no device"));
    bool passed = count <= LISTED_MAX;
    if (!passed) cli_failure("%s: more than %d devices", kas_driver_name(driver), LISTED_MAX);
    for (size_t i = 0; i < count && i < LISTED_MAX; ++i) {
        json_t *device = test_device(suite, &infos[i]);
        passed = passed && json_is_true(json_object_get(device, "passed"));
        json_array_append_new(devices, device);
    }
    return passed;
}

/* "0.13", or what is wrong. */
static void cell_words(json_t *operator, char * out, size_t size)
{
    json_int_t wrong = json_integer_value(json_object_get(operator, "wrong"));
    json_int_t dependent = json_integer_value(json_object_get(operator, "batch_dependent"));
    if (json_integer_value(json_object_get(operator, "cases")) == 0)
        snprintf(out, size, "no case");
    else if (wrong)
        snprintf(out, size, "FAILED: %lld wrong", (long long)wrong);
    else if (dependent)
        snprintf(out, size, "FAILED: %lld depend on the batch", (long long)dependent);
    else
        snprintf(out, size, "%.2f", json_real_value(json_object_get(operator, "worst_share")));
}

static int print_table(const selftest_suite *suite, json_t *devices)
{
    cli_column columns[COLUMNS_MAX] = {{"OPERATOR", "operator", false}};
    json_t *rows = json_array(), *device;
    size_t index, count = 1;
    for (size_t row = 0; row < selftest_row_count(suite); ++row)
        json_array_append_new(rows, json_pack("{s:s}", "operator", selftest_row_name(suite, row)));
    json_array_foreach(devices, index, device)
    {
        const char *id = json_string_value(json_object_get(device, "id"));
        if (count == COLUMNS_MAX) break;
        columns[count++] = (cli_column){id, id, true};
        for (size_t row = 0; row < selftest_row_count(suite); ++row) {
            char text[64];
            cell_words(json_array_get(json_object_get(device, "operators"), row), text, sizeof text);
            json_object_set_new(json_array_get(rows, row), id, json_string(text));
        }
    }
    puts("Worst share of the tolerance (above 1 is wrong); bits are the same in every batch.");
    int result = cli_print_table(rows, columns, count);
    json_decref(rows);
    return result;
}

static int print_text(const selftest_suite *suite, json_t *devices, json_t *not_run)
{
    size_t index;
    json_t *item;
    json_array_foreach(devices, index, item)
        printf("%s: %s\n", json_string_value(json_object_get(item, "id")),
               json_string_value(json_object_get(item, "name")));
    json_array_foreach(not_run, index, item)
        printf("%s: not run: %s\n", json_string_value(json_object_get(item, "driver")),
               json_string_value(json_object_get(item, "reason")));
    return print_table(suite, devices);
}

int cli_selftest(bool json)
{
    json_t *devices = json_array(), *not_run = json_array();
    selftest_suite *suite = selftest_suite_create(NULL, 1);
    bool passed = true;
    for (size_t d = 0; d < kas_driver_count(); ++d)
        passed = test_driver(suite, kas_driver_at(d), devices, not_run) && passed;
    int result = CLI_OK;
    if (json) {
        json_t *report =
            json_pack("{s:b, s:O, s:O}", "passed", passed, "devices", devices, "not_run", not_run);
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(report);
    } else
        result = print_text(suite, devices, not_run);
    selftest_suite_destroy(suite);
    json_decref(devices);
    json_decref(not_run);
    return passed ? result : CLI_FAILED;
}
