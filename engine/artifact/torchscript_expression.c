/* Parsing of expressions. Types parse as expressions too: List[int], Optional[Tensor]. */
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_parser.h"

kas_status kas_script_expected(const kas_script_parser *parser, const char *what)
{
    char found[KAS_SCRIPT_TOKEN_SHOWN];
    return kas_refuse(KAS_REASON_MALFORMED, "%.*s:%u: expected %s, found %s",
                      KAS_SPAN_ARGS(parser->lexer.path), (unsigned)parser->token.line, what,
                      kas_script_token_text(&parser->token, found));
}

kas_status kas_script_take(kas_script_parser *parser)
{
    return kas_script_next(&parser->lexer, &parser->token);
}

bool kas_script_at_mark(const kas_script_parser *parser, const char *mark)
{
    return parser->token.kind == KAS_TOKEN_MARK && kas_span_is(parser->token.text, mark);
}

bool kas_script_at_word(const kas_script_parser *parser, const char *word)
{
    return parser->token.kind == KAS_TOKEN_NAME && kas_span_is(parser->token.text, word);
}

kas_status kas_script_take_mark(kas_script_parser *parser, const char *mark)
{
    return kas_script_at_mark(parser, mark) ? kas_script_take(parser) : kas_script_expected(parser, mark);
}

/* Words that mean something in Python and are no names; those of statements that PyTorch never prints among
 * them. */
static bool is_reserved(kas_span word)
{
    static const char *const words[] = {
        "and",   "as",     "assert", "async",  "await",  "break",    "class", "continue", "def",
        "del",   "elif",   "else",   "except", "exec",   "finally",  "for",   "from",     "global",
        "if",    "import", "in",     "is",     "lambda", "nonlocal", "not",   "or",       "pass",
        "raise", "return", "try",    "while",  "with",   "yield"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (word.data[0] == (uint8_t)words[i][0] && kas_span_is(word, words[i])) return true;
    return false;
}

kas_status kas_script_take_name(kas_script_parser *parser, kas_span *out)
{
    if (parser->token.kind != KAS_TOKEN_NAME || is_reserved(parser->token.text))
        return kas_script_expected(parser, "a name");
    *out = parser->token.text;
    return kas_script_take(parser);
}

static kas_status new_expression(kas_script_parser *parser, kas_script_kind kind, kas_script_expression **out)
{
    void *room;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_expression), &room));
    *out = room;
    (*out)->kind = kind;
    (*out)->line = parser->token.line;
    return NULL;
}

/* ---- lists ---- */

typedef struct list {
    kas_script_expression *first, **end;
    size_t count, limit;
} list;

static kas_status append(kas_script_parser *parser, list *items, kas_script_expression *item)
{
    if (items->count == items->limit)
        return kas_refuse(KAS_REASON_LIMIT, "%.*s:%u: a list of more than %zu items",
                          KAS_SPAN_ARGS(parser->lexer.path), (unsigned)item->line, items->limit);
    *items->end = item;
    items->end = &item->next;
    ++items->count;
    return NULL;
}

/* An argument may be given by name. A name and "=" is told from an expression that begins with a name by
 * parsing it. */
static kas_status parse_argument(kas_script_parser *parser, kas_script_expression **out)
{
    KAS_TRY(kas_script_parse_expression(parser, out));
    if (!kas_script_at_mark(parser, "=")) return NULL;
    if ((*out)->kind != KAS_SCRIPT_NAME)
        return kas_script_expected(parser, "a comma or the end of the arguments");
    const kas_span keyword = (*out)->text;
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_parse_expression(parser, out));
    (*out)->keyword = keyword;
    return NULL;
}

/* Items up to the closing mark, which is taken. A comma may stand after the last. */
static kas_status parse_items(kas_script_parser *parser, const char *close, size_t limit, bool arguments,
                              kas_script_expression *out, bool *trailing)
{
    list items = {.end = &items.first, .limit = limit};
    *trailing = false;
    while (!kas_script_at_mark(parser, close)) {
        kas_script_expression *item;
        KAS_TRY(arguments ? parse_argument(parser, &item) : kas_script_parse_expression(parser, &item));
        KAS_TRY(append(parser, &items, item));
        *trailing = kas_script_at_mark(parser, ",");
        if (!*trailing && !kas_script_at_mark(parser, close))
            return kas_script_expected(parser, "a comma or the closing bracket");
        if (*trailing) KAS_TRY(kas_script_take(parser));
    }
    out->first = items.first;
    out->count = items.count;
    return kas_script_take(parser);
}

static kas_status parse_dict(kas_script_parser *parser, kas_script_expression **out)
{
    list items = {.end = &items.first, .limit = KAS_SCRIPT_MAX_ITEMS};
    KAS_TRY(new_expression(parser, KAS_SCRIPT_DICT, out));
    KAS_TRY(kas_script_take(parser));
    while (!kas_script_at_mark(parser, "}")) {
        kas_script_expression *item;
        KAS_TRY(kas_script_parse_expression(parser, &item));
        KAS_TRY(append(parser, &items, item));
        KAS_TRY(kas_script_take_mark(parser, ":"));
        KAS_TRY(kas_script_parse_expression(parser, &item));
        KAS_TRY(append(parser, &items, item));
        if (!kas_script_at_mark(parser, "}")) KAS_TRY(kas_script_take_mark(parser, ","));
    }
    (*out)->first = items.first;
    (*out)->count = items.count;
    return kas_script_take(parser);
}

/* In parentheses: one expression, unless a comma follows it. */
static kas_status parse_parentheses(kas_script_parser *parser, kas_script_expression **out)
{
    bool trailing;
    KAS_TRY(new_expression(parser, KAS_SCRIPT_TUPLE, out));
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(parse_items(parser, ")", KAS_SCRIPT_MAX_ITEMS, false, *out, &trailing));
    if ((*out)->count == 1 && !trailing) *out = (*out)->first;
    return NULL;
}

static kas_status parse_list(kas_script_parser *parser, kas_script_expression **out)
{
    bool trailing;
    KAS_TRY(new_expression(parser, KAS_SCRIPT_LIST, out));
    KAS_TRY(kas_script_take(parser));
    return parse_items(parser, "]", KAS_SCRIPT_MAX_ITEMS, false, *out, &trailing);
}

/* ---- the smallest ---- */

static kas_status parse_word(kas_script_parser *parser, kas_script_expression **out)
{
    KAS_TRY(new_expression(parser, KAS_SCRIPT_NAME, out));
    if (kas_script_at_word(parser, "None")) {
        (*out)->kind = KAS_SCRIPT_NONE;
        return kas_script_take(parser);
    }
    if (kas_script_at_word(parser, "True") || kas_script_at_word(parser, "False")) {
        (*out)->kind = KAS_SCRIPT_BOOL;
        (*out)->integer = kas_script_at_word(parser, "True");
        return kas_script_take(parser);
    }
    return kas_script_take_name(parser, &(*out)->text);
}

static kas_status parse_literal(kas_script_parser *parser, kas_script_expression **out)
{
    static const kas_script_kind kinds[] = {[KAS_TOKEN_INT] = KAS_SCRIPT_INT,
                                            [KAS_TOKEN_FLOAT] = KAS_SCRIPT_FLOAT,
                                            [KAS_TOKEN_STRING] = KAS_SCRIPT_STRING};
    KAS_TRY(new_expression(parser, kinds[parser->token.kind], out));
    (*out)->text = parser->token.text;
    if (parser->token.kind == KAS_TOKEN_INT) (*out)->integer = parser->token.integer;
    if (parser->token.kind == KAS_TOKEN_FLOAT) (*out)->number = parser->token.number;
    return kas_script_take(parser);
}

/* "-" stands before numbers only (and before `inf`): negation is printed as torch.neg. */
static kas_status parse_negative(kas_script_parser *parser, kas_script_expression **out)
{
    KAS_TRY(kas_script_take(parser));
    if (kas_script_at_word(parser, "inf")) {
        KAS_TRY(new_expression(parser, KAS_SCRIPT_FLOAT, out));
        (*out)->number = -__builtin_inf();
        return kas_script_take(parser);
    }
    if (parser->token.kind != KAS_TOKEN_INT && parser->token.kind != KAS_TOKEN_FLOAT)
        return kas_script_expected(parser, "a number after \"-\"");
    KAS_TRY(parse_literal(parser, out));
    if ((*out)->kind == KAS_SCRIPT_INT)
        (*out)->integer = -(*out)->integer;
    else
        (*out)->number = -(*out)->number;
    return NULL;
}

static kas_status parse_primary(kas_script_parser *parser, kas_script_expression **out)
{
    switch (parser->token.kind) {
    case KAS_TOKEN_NAME:
        return parse_word(parser, out);
    case KAS_TOKEN_INT:
    case KAS_TOKEN_FLOAT:
    case KAS_TOKEN_STRING:
        return parse_literal(parser, out);
    default:
        if (kas_script_at_mark(parser, "(")) return parse_parentheses(parser, out);
        if (kas_script_at_mark(parser, "[")) return parse_list(parser, out);
        if (kas_script_at_mark(parser, "{")) return parse_dict(parser, out);
        if (kas_script_at_mark(parser, "-")) return parse_negative(parser, out);
        return kas_script_expected(parser, "an expression");
    }
}

/* ---- what follows one ---- */

static kas_status parse_attribute(kas_script_parser *parser, kas_script_expression *expression)
{
    expression->kind = KAS_SCRIPT_ATTRIBUTE;
    KAS_TRY(kas_script_take(parser));
    return kas_script_take_name(parser, &expression->text);
}

static kas_status parse_call(kas_script_parser *parser, kas_script_expression *expression)
{
    bool trailing;
    expression->kind = KAS_SCRIPT_CALL;
    KAS_TRY(kas_script_take(parser));
    return parse_items(parser, ")", KAS_SCRIPT_MAX_ARGUMENTS, true, expression, &trailing);
}

static kas_status parse_index(kas_script_parser *parser, kas_script_expression *expression)
{
    bool trailing;
    expression->kind = KAS_SCRIPT_INDEX;
    KAS_TRY(kas_script_take(parser));
    return parse_items(parser, "]", KAS_SCRIPT_MAX_ARGUMENTS, false, expression, &trailing);
}

/* a.b(c).d[e]: a chain nests to the left, as deep as it is long. */
static kas_status parse_chain(kas_script_parser *parser, kas_script_expression **out)
{
    KAS_TRY(parse_primary(parser, out));
    for (uint32_t left = KAS_SCRIPT_MAX_NESTING;; --left) {
        kas_status (*parse)(kas_script_parser *, kas_script_expression *) = NULL;
        kas_script_expression *outer;
        if (kas_script_at_mark(parser, ".")) parse = parse_attribute;
        if (kas_script_at_mark(parser, "(")) parse = parse_call;
        if (kas_script_at_mark(parser, "[")) parse = parse_index;
        if (!parse) return NULL;
        if (left == 0)
            return kas_refuse(
                KAS_REASON_LIMIT, "%.*s:%u: a chain of calls and attributes is longer than the limit of %d",
                KAS_SPAN_ARGS(parser->lexer.path), (unsigned)parser->token.line, (int)KAS_SCRIPT_MAX_NESTING);
        KAS_TRY(new_expression(parser, KAS_SCRIPT_NAME, &outer));
        outer->base = *out;
        KAS_TRY(parse(parser, outer));
        *out = outer;
    }
}

kas_status kas_script_parse_expression(kas_script_parser *parser, kas_script_expression **out)
{
    *out = NULL;
    if (parser->nesting_left == 0)
        return kas_refuse(KAS_REASON_LIMIT, "%.*s:%u: expressions are nested deeper than the limit of %d",
                          KAS_SPAN_ARGS(parser->lexer.path), (unsigned)parser->token.line,
                          (int)KAS_SCRIPT_MAX_NESTING);
    --parser->nesting_left;
    kas_status status = parse_chain(parser, out);
    ++parser->nesting_left;
    return status;
}

kas_status kas_script_parse_expressions(kas_script_parser *parser, kas_script_expression **out, size_t *count,
                                        bool *trailing)
{
    list items = {.end = &items.first, .limit = KAS_SCRIPT_MAX_ARGUMENTS};
    *trailing = false;
    do {
        kas_script_expression *item;
        KAS_TRY(kas_script_parse_expression(parser, &item));
        KAS_TRY(append(parser, &items, item));
        *trailing = kas_script_at_mark(parser, ",");
        if (*trailing) KAS_TRY(kas_script_take(parser));
    } while (*trailing && !kas_script_at_mark(parser, "=") && parser->token.kind != KAS_TOKEN_NEWLINE);
    *out = items.first;
    *count = items.count;
    return NULL;
}
