#include "cli/table.h"

#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

static json_t *reach(json_t *object, const char *member)
{
    char name[64];
    for (;;) {
        size_t length = strcspn(member, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, member);
        object = json_object_get(object, name);
        if (!member[length]) return object;
        member += length + 1;
    }
}

/* The strings of an array, "a, b"; false for an array of other things. */
static bool join_strings(json_t *array, char *out, size_t size)
{
    size_t index, length = 0;
    json_t *item;
    *out = '\0';
    json_array_foreach(array, index, item)
    {
        if (!json_is_string(item)) return false;
        int added = snprintf(out + length, size - length, "%s%s", index ? ", " : "", json_string_value(item));
        if (added < 0 || (size_t)added >= size - length) break;
        length += (size_t)added;
    }
    return true;
}

/* A value as a cell; "-" where there is nothing to say. */
static void cell_text(json_t *value, char *out, size_t size)
{
    if (json_is_array(value) && json_array_size(value) > 0 && join_strings(value, out, size)) return;
    if (json_string_length(value) > 0)
        snprintf(out, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out, size, fabs(json_real_value(value)) < 1000 ? "%.4g" : "%.0f", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_array_size(value) > 0 || json_is_object(value)) {
        char *text = json_dumps(value, JSON_COMPACT);
        snprintf(out, size, "%s", text ? text : "?");
        free(text);
    } else
        snprintf(out, size, "-");
}

static struct libscols_table *new_table(const cli_column *columns, size_t count)
{
    scols_init_debug(0);
    struct libscols_table *table = scols_new_table();
    for (size_t i = 0; table && i < count; ++i) {
        if (scols_table_new_column(table, columns[i].title, 0.1, columns[i].right ? SCOLS_FL_RIGHT : 0))
            continue;
        scols_unref_table(table);
        return NULL;
    }
    return table;
}

static bool add_row(struct libscols_table *table, json_t *row, const cli_column *columns, size_t count)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    char text[512];
    for (size_t i = 0; line && i < count; ++i) {
        cell_text(reach(row, columns[i].member), text, sizeof text);
        if (scols_line_set_data(line, i, text)) return false;
    }
    return line != NULL;
}

int cli_print_table(json_t *rows, const cli_column *columns, size_t count)
{
    if (json_array_size(rows) == 0) return puts("none") < 0 ? CLI_FAILED : CLI_OK;
    struct libscols_table *table = new_table(columns, count);
    bool right = table != NULL;
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row) right = right && add_row(table, row, columns, count);
    right = right && scols_print_table(table) == 0;
    scols_unref_table(table);
    return right ? CLI_OK : cli_failure("cannot print the table");
}

/* One row a member; those of objects inside are "outer.inner". */
static void add_members(json_t *rows, const char *prefix, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        char path[128];
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", name);
        if (json_is_object(value))
            add_members(rows, path, value);
        else
            json_array_append_new(rows, json_pack("{s:s, s:O}", "name", path, "value", value));
    }
}

int cli_print_object(json_t *object)
{
    static const cli_column columns[] = {{"NAME", "name", false}, {"VALUE", "value", false}};
    json_t *rows = json_array();
    add_members(rows, "", object);
    int result = cli_print_table(rows, columns, 2);
    json_decref(rows);
    return result;
}
