#include "cli/selftest.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/core/device.h"
#include "cli/command.h"
#include "cli/table.h"
#include "selftest/operators.h"

enum { LISTED_MAX = 16, DEVICES_MAX = 64, COLUMNS_MAX = DEVICES_MAX + 2 };

/* weights: the type of the row's; stored_as: what the device made of them. */
static json_t *describe_operator(const selftest_suite *suite, size_t row, const selftest_cell *cell)
{
    const char *weights = selftest_row_weights(suite, row);
    json_t *worst = isfinite(cell->worst) ? json_real(cell->worst) : json_null();
    return json_pack("{s:s, s:s?, s:s?, s:I, s:I, s:I, s:o}", "operator", selftest_row_name(suite, row),
                     "weights", weights, "stored_as", selftest_is_widened(suite, row, cell) ? "f32" : weights,
                     "cases", (json_int_t)cell->cases, "wrong", (json_int_t)cell->wrong, "batch_dependent",
                     (json_int_t)cell->dependent, "worst_share", worst);
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
        json_array_append_new(operators, describe_operator(suite, row, &cells[row]));
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", info->id, "kind", info->kind, "name", info->name,
                     "passed", passed, "operators", operators);
}

typedef struct selftest_report {
    const selftest_suite *suite;
    const char *only; /* a device's id; NULL: every device */
    json_t *devices, *not_run;
} selftest_report;

static bool is_wanted(const selftest_report *report, const char *id)
{
    return !report->only || strcmp(report->only, id) == 0;
}

/* Whether a device's id says that it is the driver's. */
static bool has_driver(const char *id, const kas_driver *driver)
{
    const char *name = kas_driver_name(driver);
    size_t length = strlen(name);
    return strncmp(id, name, length) == 0 && id[length] == ':';
}

/* A driver's devices that are wanted; false where one fails or the driver cannot list them. */
static bool test_driver(const selftest_report *report, const kas_driver *driver)
{
    kas_device_info infos[LISTED_MAX];
    size_t count = 0;
    kas_status status = kas_driver_list(driver, infos, LISTED_MAX, &count);
    if (status) {
        cli_failure("%s: %s", kas_driver_name(driver), kas_status_message(status));
        kas_status_free(status);
        return false;
    }
    if (count == 0 && !report->only)
        json_array_append_new(report->not_run, json_pack("{s:s, s:s}", "driver", kas_driver_name(driver),
                                                         "reason", "no device"));
    bool passed = count <= LISTED_MAX;
    if (!passed) cli_failure("%s: more than %d devices", kas_driver_name(driver), LISTED_MAX);
    for (size_t i = 0; i < count && i < LISTED_MAX; ++i) {
        if (!is_wanted(report, infos[i].id)) continue;
        json_t *device = test_device(report->suite, &infos[i]);
        passed = passed && json_is_true(json_object_get(device, "passed"));
        json_array_append_new(report->devices, device);
    }
    return passed;
}

static bool is_widened(json_t *operator)
{
    const char *weights = json_string_value(json_object_get(operator, "weights"));
    const char *stored_as = json_string_value(json_object_get(operator, "stored_as"));
    return weights && stored_as && strcmp(weights, stored_as) != 0;
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
        snprintf(out, size, "%.2f%s", json_real_value(json_object_get(operator, "worst_share")),
                 is_widened(operator) ? " as f32" : "");
}

static const char exclusions[] =
    "Weights -: the operator has none; what passes between operators is float32 everywhere.\n"
    "as f32: the device's own products read float32 alone, so it stores these weights as such, with the same "
    "bits in every result.";

static int print_table(const selftest_report *report)
{
    cli_column columns[COLUMNS_MAX] = {{"OPERATOR", "operator", false}, {"WEIGHTS", "weights", false}};
    json_t *rows = json_array(), *device;
    size_t index, count = 2;
    for (size_t row = 0; row < selftest_row_count(report->suite); ++row) {
        const char *weights = selftest_row_weights(report->suite, row);
        json_array_append_new(rows, json_pack("{s:s, s:s}", "operator", selftest_row_name(report->suite, row),
                                              "weights", weights ? weights : "-"));
    }
    json_array_foreach(report->devices, index, device)
    {
        const char *id = json_string_value(json_object_get(device, "id"));
        if (count == COLUMNS_MAX) break;
        columns[count++] = (cli_column){id, id, true};
        for (size_t row = 0; row < selftest_row_count(report->suite); ++row) {
            char text[64];
            cell_words(json_array_get(json_object_get(device, "operators"), row), text, sizeof text);
            json_object_set_new(json_array_get(rows, row), id, json_string(text));
        }
    }
    puts("Worst share of the tolerance (above 1 is wrong); bits are the same in every batch.");
    int result = cli_print_table(rows, columns, count);
    json_decref(rows);
    puts(exclusions);
    return result;
}

static int print_text(const selftest_report *report)
{
    size_t index;
    json_t *item;
    json_array_foreach(report->devices, index, item)
        printf("%s: %s\n", json_string_value(json_object_get(item, "id")),
               json_string_value(json_object_get(item, "name")));
    json_array_foreach(report->not_run, index, item)
        printf("%s: not run: %s\n", json_string_value(json_object_get(item, "driver")),
               json_string_value(json_object_get(item, "reason")));
    return print_table(report);
}

static void print_json(const selftest_report *report, bool passed)
{
    json_t *object = json_pack("{s:b, s:O, s:O}", "passed", passed, "devices", report->devices, "not_run",
                               report->not_run);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

int cli_selftest(const char *device, bool json)
{
    selftest_suite *suite = selftest_suite_create(NULL, 1);
    const selftest_report report = {suite, device, json_array(), json_array()};
    bool passed = true;
    for (size_t d = 0; d < kas_driver_count(); ++d)
        if (!device || has_driver(device, kas_driver_at(d)))
            passed = test_driver(&report, kas_driver_at(d)) && passed;
    int result = CLI_OK;
    if (json)
        print_json(&report, passed);
    else
        result = print_text(&report);
    selftest_suite_destroy(suite);
    json_decref(report.devices);
    json_decref(report.not_run);
    return passed ? result : CLI_FAILED;
}
