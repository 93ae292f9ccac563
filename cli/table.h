/* Tables for people, laid out by libsmartcols (util-linux). */
#ifndef KAS_CLI_TABLE_H
#define KAS_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>

typedef struct cli_column {
    const char *title;
    const char *member; /* of each row's object; "a.b" reaches into it */
    bool right;         /* numbers stand to the right */
} cli_column;

/* One line a member of `rows` (an array of objects). Prints "none" for an empty one. Returns an exit code. */
int cli_print_table(json_t *rows, const cli_column *columns, size_t count);

/* One line a member of an object: name and value. */
int cli_print_object(json_t *object);

#endif
