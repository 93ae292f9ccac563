#include "engine/artifact/torchscript_lexer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "engine/artifact/refuse.h"

enum {
    NUMBER_MAX = 64, /* bytes of a number: PyTorch prints 17 digits, a point, an exponent and their signs */
};

void kas_script_lexer_init(kas_script_lexer *lexer, kas_span path, kas_span source, kas_arena *arena)
{
    *lexer = (kas_script_lexer){.path = path,
                                .at = source.data,
                                .end = source.data + source.size,
                                .arena = arena,
                                .line = 1,
                                .line_begins = true,
                                .indent_count = 1};
}

const char *kas_script_token_text(const kas_script_token *token, char out[KAS_SCRIPT_TOKEN_SHOWN])
{
    const int shown =
        token->text.size < KAS_SCRIPT_TOKEN_SHOWN / 2 ? (int)token->text.size : KAS_SCRIPT_TOKEN_SHOWN / 2;
    switch (token->kind) {
    case KAS_TOKEN_END:
        snprintf(out, KAS_SCRIPT_TOKEN_SHOWN, "the end of the file");
        break;
    case KAS_TOKEN_NEWLINE:
        snprintf(out, KAS_SCRIPT_TOKEN_SHOWN, "the end of the line");
        break;
    case KAS_TOKEN_INDENT:
    case KAS_TOKEN_DEDENT:
        snprintf(out, KAS_SCRIPT_TOKEN_SHOWN, "%s indentation",
                 token->kind == KAS_TOKEN_INDENT ? "more" : "less");
        break;
    case KAS_TOKEN_STRING:
        snprintf(out, KAS_SCRIPT_TOKEN_SHOWN, "the string \"%.*s\"", shown, (const char *)token->text.data);
        break;
    default:
        snprintf(out, KAS_SCRIPT_TOKEN_SHOWN, "\"%.*s\"", shown, (const char *)token->text.data);
    }
    return out;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool begins_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static kas_status refuse_character(uint8_t c)
{
    if (c > 0x20 && c < 0x7f) return kas_refuse(KAS_REASON_MALFORMED, "unexpected character '%c'", c);
    return kas_refuse(KAS_REASON_MALFORMED, "unexpected character 0x%02x", c);
}

/* ---- lines ---- */

static void skip_blanks(kas_script_lexer *lexer)
{
    while (lexer->at < lexer->end) {
        const uint8_t c = *lexer->at;
        if (c == '\n' && lexer->brackets == 0) return;
        if (c == '#') {
            while (lexer->at < lexer->end && *lexer->at != '\n')
                ++lexer->at;
            continue;
        }
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return;
        lexer->line += c == '\n';
        ++lexer->at;
    }
}

/* Skips empty lines and gives the column at which the next line's text begins. */
static uint32_t find_column(kas_script_lexer *lexer)
{
    for (;;) {
        const uint8_t *begin = lexer->at;
        while (lexer->at < lexer->end && *lexer->at == ' ')
            ++lexer->at;
        const uint32_t column = (uint32_t)(lexer->at - begin);
        skip_blanks(lexer);
        if (lexer->at == lexer->end) return 0;
        if (*lexer->at != '\n') return column;
        ++lexer->at;
        ++lexer->line;
    }
}

static kas_status begin_line(kas_script_lexer *lexer, kas_script_token *out)
{
    const uint32_t column = find_column(lexer);
    lexer->line_begins = false;
    out->line = lexer->line;
    out->kind = KAS_TOKEN_NEWLINE;
    if (column > lexer->indents[lexer->indent_count - 1]) {
        if (lexer->indent_count > KAS_SCRIPT_MAX_NESTING)
            return kas_refuse(KAS_REASON_LIMIT, "blocks are nested deeper than the limit of %d",
                              (int)KAS_SCRIPT_MAX_NESTING);
        lexer->indents[lexer->indent_count++] = column;
        out->kind = KAS_TOKEN_INDENT;
        return NULL;
    }
    while (column < lexer->indents[lexer->indent_count - 1]) {
        --lexer->indent_count;
        ++lexer->dedents;
    }
    if (column == lexer->indents[lexer->indent_count - 1]) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the indentation of %u columns is that of no block",
                      (unsigned)column);
}

/* ---- numbers ---- */

static bool continues_number(const uint8_t *at, const uint8_t *begin)
{
    if (is_digit(*at) || *at == '.' || begins_name(*at)) return true;
    return (*at == '-' || *at == '+') && at > begin && (at[-1] == 'e' || at[-1] == 'E');
}

static kas_status read_integer(const char *text, kas_script_token *out)
{
    char *rest;
    errno = 0;
    out->kind = KAS_TOKEN_INT;
    out->integer = strtoll(text, &rest, 10);
    if (errno)
        return kas_refuse(KAS_REASON_LIMIT, "the integer %s is out of range: it overflows 64 bits", text);
    if (*rest) return kas_refuse(KAS_REASON_MALFORMED, "\"%s\" is no number", text);
    return NULL;
}

static kas_status read_float(const char *text, kas_script_token *out)
{
    char *rest;
    out->kind = KAS_TOKEN_FLOAT;
    out->number = kas_parse_real(text, &rest);
    if (*rest) return kas_refuse(KAS_REASON_MALFORMED, "\"%s\" is no number", text);
    if (!isfinite(out->number)) return kas_refuse(KAS_REASON_LIMIT, "the number %s is out of range", text);
    return NULL;
}

/* Digits only, with point and exponent: kas_parse_real's hexadecimal numbers and words do not get here. */
static kas_status read_number(kas_script_lexer *lexer, kas_script_token *out)
{
    char text[NUMBER_MAX + 1];
    const uint8_t *begin = lexer->at;
    bool real = false;
    while (lexer->at < lexer->end && continues_number(lexer->at, begin)) {
        const uint8_t c = *lexer->at;
        if (begins_name(c) && c != 'e' && c != 'E') return refuse_character(c);
        real = real || !is_digit(c);
        ++lexer->at;
    }
    const size_t size = (size_t)(lexer->at - begin);
    out->text = (kas_span){begin, size};
    if (size > NUMBER_MAX) return kas_refuse(KAS_REASON_LIMIT, "a number of %zu digits is too large", size);
    memcpy(text, begin, size);
    text[size] = 0;
    return real ? read_float(text, out) : read_integer(text, out);
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One escape, `at` behind its backslash; NULL where it is none that PyTorch prints. */
static const uint8_t *resolve_escape(const uint8_t *at, const uint8_t *end, uint8_t *out)
{
    static const char letters[] = "abfnrtv\\'\"", meanings[] = "\a\b\f\n\r\t\v\\'\"";
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (letter) {
        *out = (uint8_t)meanings[letter - letters];
        return at + 1;
    }
    if (*at == 'x' && end - at > 2 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        *out = (uint8_t)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
        return at + 3;
    }
    if (end - at > 2 && at[0] <= '3' && at[0] >= '0' && at[1] <= '7' && at[1] >= '0' && at[2] <= '7' &&
        at[2] >= '0') {
        *out = (uint8_t)((at[0] - '0') * 64 + (at[1] - '0') * 8 + (at[2] - '0'));
        return at + 3;
    }
    return NULL;
}

static kas_status resolve_string(kas_arena *arena, kas_span raw, kas_span *out)
{
    void *room;
    *out = raw;
    if (!raw.size || !memchr(raw.data, '\\', raw.size)) return NULL;
    KAS_TRY(kas_arena_take(arena, raw.size, 1, &room));
    uint8_t *to = room;
    const uint8_t *end = raw.data + raw.size;
    for (const uint8_t *at = raw.data; at && at < end;) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        at = resolve_escape(at + 1, end, to++);
        if (!at) return kas_refuse(KAS_REASON_MALFORMED, "a string has an escape that is not known");
    }
    *out = (kas_span){room, (size_t)(to - (uint8_t *)room)};
    return NULL;
}

static kas_status read_string(kas_script_lexer *lexer, kas_script_token *out)
{
    const uint8_t quote = *lexer->at++, *begin = lexer->at;
    while (lexer->at < lexer->end && *lexer->at != quote && *lexer->at != '\n') {
        if (*lexer->at < 0x20 && *lexer->at != '\t') return refuse_character(*lexer->at);
        if (*lexer->at == '\\' && lexer->end - lexer->at > 1 && lexer->at[1] != '\n') ++lexer->at;
        ++lexer->at;
    }
    if (lexer->at == lexer->end || *lexer->at != quote)
        return kas_refuse(KAS_REASON_MALFORMED, "a string has no closing quote: it is unterminated");
    const kas_span raw = {begin, (size_t)(lexer->at - begin)};
    ++lexer->at;
    out->kind = KAS_TOKEN_STRING;
    if (!kas_span_is_utf8(raw)) return kas_refuse(KAS_REASON_MALFORMED, "a string is not UTF-8");
    return resolve_string(lexer->arena, raw, &out->text);
}

/* ---- tokens ---- */

static kas_status read_mark(kas_script_lexer *lexer, kas_script_token *out)
{
    const uint8_t c = *lexer->at;
    size_t size = 1;
    if (!c || !strchr("()[]{},:=.-", c)) return refuse_character(c);
    if (c == '(' || c == '[' || c == '{') ++lexer->brackets;
    if ((c == ')' || c == ']' || c == '}') && lexer->brackets > 0) --lexer->brackets;
    if (c == '-' && lexer->end - lexer->at > 1 && lexer->at[1] == '>') size = 2;
    out->kind = KAS_TOKEN_MARK;
    out->text = (kas_span){lexer->at, size};
    lexer->at += size;
    return NULL;
}

static kas_status read_name(kas_script_lexer *lexer, kas_script_token *out)
{
    const uint8_t *begin = lexer->at;
    while (lexer->at < lexer->end && (begins_name(*lexer->at) || is_digit(*lexer->at)))
        ++lexer->at;
    out->kind = KAS_TOKEN_NAME;
    out->text = (kas_span){begin, (size_t)(lexer->at - begin)};
    return NULL;
}

static kas_status end_line(kas_script_lexer *lexer, kas_script_token *out)
{
    out->kind = KAS_TOKEN_NEWLINE;
    ++lexer->at;
    ++lexer->line;
    lexer->line_begins = true;
    return NULL;
}

/* At the end the blocks that are still open are closed first. */
static kas_status end_file(kas_script_lexer *lexer, kas_script_token *out)
{
    out->kind = lexer->indent_count > 1 ? KAS_TOKEN_DEDENT : KAS_TOKEN_END;
    if (lexer->indent_count > 1) --lexer->indent_count;
    return NULL;
}

static kas_status read_token(kas_script_lexer *lexer, kas_script_token *out)
{
    if (lexer->line_begins) {
        KAS_TRY(begin_line(lexer, out));
        if (out->kind == KAS_TOKEN_INDENT) return NULL;
    }
    if (lexer->dedents > 0) {
        --lexer->dedents;
        out->kind = KAS_TOKEN_DEDENT;
        return NULL;
    }
    skip_blanks(lexer);
    out->line = lexer->line;
    if (lexer->at == lexer->end) return end_file(lexer, out);
    if (*lexer->at == '\n') return end_line(lexer, out);
    if (is_digit(*lexer->at)) return read_number(lexer, out);
    if (*lexer->at == '"' || *lexer->at == '\'') return read_string(lexer, out);
    if (begins_name(*lexer->at)) return read_name(lexer, out);
    return read_mark(lexer, out);
}

kas_status kas_script_next(kas_script_lexer *lexer, kas_script_token *out)
{
    *out = (kas_script_token){.line = lexer->line};
    return kas_annotate(read_token(lexer, out), "%.*s:%u", KAS_SPAN_ARGS(lexer->path), (unsigned)lexer->line);
}
