#include "http/json_read.h"

#include <kasmina/kasmina.h>
#include <stdlib.h>
#include <string.h>

#define REASON_UNKNOWN_MEMBER "unknown-member"

kas_status kas_json_parse(const void *bytes, size_t size_bytes, json_t **out)
{
    json_error_t error;
    if (size_bytes == 0)
        return kas_fail(KAS_MALFORMED, CALLER, "the body is empty; a JSON object is expected");
    json_t *root = json_loadb(bytes, size_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root) {
        if (json_error_code(&error) == json_error_out_of_memory) return kas_out_of_memory();
        if (json_error_code(&error) == json_error_numeric_overflow)
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "a number in the body is out of range (line %d, column %d)", error.line,
                            error.column);
        return kas_fail(KAS_MALFORMED, CALLER, "the body is not JSON: %s (line %d, column %d)", error.text,
                        error.line, error.column);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return kas_fail(KAS_MALFORMED, CALLER, "the body must be a JSON object");
    }
    *out = root;
    return NULL;
}

static const char *type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a decimal number";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

static kas_status wrong_type(const char *where, const kas_json_member *member, const char *wanted,
                             const json_t *value)
{
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s must be %s, not %s", where, member->name, wanted,
                    type_of(value));
}

static kas_status read_whole(const char *where, const kas_json_member *member, const json_t *value)
{
    if (!json_is_integer(value)) return wrong_type(where, member, "a whole number", value);
    int64_t number = json_integer_value(value);
    if (number < (int64_t)member->min || number > (int64_t)member->max) /* at most 2^53 */
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s is %lld; it must be within %.0f and %.0f", where,
                        member->name, (long long)number, member->min, member->max);
    if (member->type == KAS_JSON_INT64)
        *(int64_t *)member->out = number;
    else
        *(uint32_t *)member->out = (uint32_t)number;
    return NULL;
}

static kas_status read_uint64(const char *where, const kas_json_member *member, const json_t *value)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *(uint64_t *)member->out = (uint64_t)json_integer_value(value);
        return NULL;
    }
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t length = strlen(text);
    unsigned long long number;
    if (length == 0 || length > 20 || strspn(text, "0123456789") != length ||
        (length == 20 && strcmp(text, "18446744073709551615") > 0))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "%s%s must be a whole number from 0 to 2^64 - 1, or its digits as a string", where,
                        member->name);
    number = strtoull(text, NULL, 10);
    *(uint64_t *)member->out = number;
    return NULL;
}

static kas_status read_float(const char *where, const kas_json_member *member, const json_t *value)
{
    if (!json_is_number(value)) return wrong_type(where, member, "a number", value);
    double number = json_number_value(value);
    if (!(number >= member->min && number <= member->max))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s is %g; it must be within %g and %g", where,
                        member->name, number, member->min, member->max);
    *(float *)member->out = (float)number;
    return NULL;
}

static kas_status read_word(const char *where, const kas_json_member *member, const json_t *value)
{
    char known[128] = "";
    size_t used = 0;
    if (!json_is_string(value)) return wrong_type(where, member, "a string", value);
    for (uint32_t i = 0; member->words[i]; ++i) {
        if (strcmp(member->words[i], json_string_value(value)) == 0) {
            *(uint32_t *)member->out = i;
            return NULL;
        }
        size_t length = strlen(member->words[i]);
        if (used + length + 5 > sizeof known) continue;
        if (used) memcpy(known + used, " or ", 4);
        used += used ? 4 : 0;
        memcpy(known + used, member->words[i], length + 1);
        used += length;
    }
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s is '%.64s'; it must be %s", where, member->name,
                    json_string_value(value), known);
}

static bool is_plain_text(const char *text)
{
    for (; *text; ++text) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
    }
    return true;
}

static kas_status read_text(const char *where, const kas_json_member *member, const json_t *value)
{
    if (!json_is_string(value)) return wrong_type(where, member, "a string", value);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (length == 0 || length >= KAS_NAME_SIZE)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s has %zu bytes; it must have 1 to %d", where,
                        member->name, length, KAS_NAME_SIZE - 1);
    if (member->type == KAS_JSON_NAME && !kas_name_is_valid(text))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "%s%s is '%s'; a name is made of A-Z a-z 0-9 . _ -, and is neither . nor ..", where,
                        member->name, text);
    if (member->type == KAS_JSON_ARTIFACT && !kas_artifact_id_is_valid(text))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "%s%s is '%s'; an artifact id is made of A-Z a-z 0-9 . _ - : /", where, member->name,
                        text);
    if (!is_plain_text(text))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s has a control character in it", where,
                        member->name);
    memcpy(member->out, text, length + 1);
    return NULL;
}

static kas_status read_member(const char *where, const kas_json_member *member, const json_t *value)
{
    switch (member->type) {
    case KAS_JSON_BOOL:
        if (!json_is_boolean(value)) return wrong_type(where, member, "true or false", value);
        *(bool *)member->out = json_is_true(value);
        return NULL;
    case KAS_JSON_UINT32:
    case KAS_JSON_INT64:
        return read_whole(where, member, value);
    case KAS_JSON_UINT64:
        return read_uint64(where, member, value);
    case KAS_JSON_FLOAT:
        return read_float(where, member, value);
    case KAS_JSON_WORD:
        return read_word(where, member, value);
    case KAS_JSON_OBJECT:
        if (!json_is_object(value)) return wrong_type(where, member, "an object", value);
        *(const json_t **)member->out = value;
        return NULL;
    case KAS_JSON_ARRAY:
        if (!json_is_array(value)) return wrong_type(where, member, "an array", value);
        *(const json_t **)member->out = value;
        return NULL;
    default:
        return read_text(where, member, value);
    }
}

static kas_status check_known(const json_t *object, const char *where, const kas_json_member *members,
                              size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(members[i].name, key) != 0)
            ++i;
        if (i == count)
            return kas_with_reason(
                kas_fail(KAS_INVALID_ARGUMENT, CALLER, "there is no member %s%.64s here", where, key),
                REASON_UNKNOWN_MEMBER);
    }
    return NULL;
}

kas_status kas_json_read(const json_t *object, const char *where, const kas_json_member *members,
                         size_t count)
{
    KAS_TRY(check_known(object, where, members, count));
    for (size_t i = 0; i < count; ++i) {
        const json_t *value = json_object_get(object, members[i].name);
        if (!value || json_is_null(value)) {
            if (members[i].required)
                return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s%s is required%s", where, members[i].name,
                                value ? " and must not be null" : "");
            continue;
        }
        KAS_TRY(read_member(where, &members[i], value));
        if (members[i].present) *members[i].present = true;
    }
    return NULL;
}
