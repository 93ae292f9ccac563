#include "engine/artifact/json.h"

#include <stdbool.h>

#include "engine/artifact/refuse.h"

/* Brackets open at once outside of strings. Only counts: whether the text is JSON at all is the parser's
 * business. */
static kas_status check_nesting(const char *text, size_t size, const char *reason)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '[' || c == '{') ++depth;
        if ((c == ']' || c == '}') && depth > 0) --depth;
        if (depth > KAS_JSON_MAX_NESTING)
            return kas_refuse(reason, "the JSON is nested deeper than %d, at byte %zu",
                              (int)KAS_JSON_MAX_NESTING, i);
    }
    return NULL;
}

/* Jansson says so in some places; in others it just stops, without a word. */
static bool is_out_of_memory(const json_error_t *error)
{
    return json_error_code(error) == json_error_out_of_memory || error->text[0] == 0;
}

kas_status kas_artifact_parse_json(const char *text, size_t size_bytes, const char *reason, json_t **out)
{
    json_error_t error = {0};
    *out = NULL;
    KAS_TRY(check_nesting(text, size_bytes, reason));
    json_t *root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        if (is_out_of_memory(&error)) return kas_out_of_memory();
        return kas_refuse(reason, "not valid JSON: byte %d: %s", error.position, error.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return kas_refuse(reason, "the JSON is not an object");
    }
    *out = root;
    return NULL;
}
