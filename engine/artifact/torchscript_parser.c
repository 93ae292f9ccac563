/* Parsing of statements, functions, classes and files. */
#include "engine/artifact/torchscript_parser.h"

#include <string.h>

#include "engine/artifact/refuse.h"

static kas_status parse_block(kas_script_parser *parser, kas_script_statement **out);

/* The end of a line, or of a file whose last line has none. */
static kas_status end_line(kas_script_parser *parser)
{
    if (parser->token.kind == KAS_TOKEN_NEWLINE) return kas_script_take(parser);
    if (parser->token.kind == KAS_TOKEN_END || parser->token.kind == KAS_TOKEN_DEDENT) return NULL;
    return kas_script_expected(parser, "the end of the line");
}

static kas_status begin_block(kas_script_parser *parser)
{
    KAS_TRY(kas_script_take_mark(parser, ":"));
    if (parser->token.kind != KAS_TOKEN_NEWLINE) return kas_script_expected(parser, "the end of the line");
    KAS_TRY(kas_script_take(parser));
    if (parser->token.kind != KAS_TOKEN_INDENT) return kas_script_expected(parser, "an indented block");
    return kas_script_take(parser);
}

/* ---- statements ---- */

static kas_status parse_return(kas_script_parser *parser, kas_script_statement *out)
{
    out->kind = KAS_SCRIPT_RETURN;
    KAS_TRY(kas_script_take(parser));
    if (parser->token.kind != KAS_TOKEN_NEWLINE) KAS_TRY(kas_script_parse_expression(parser, &out->value));
    return end_line(parser);
}

static kas_status parse_if(kas_script_parser *parser, kas_script_statement *out)
{
    out->kind = KAS_SCRIPT_IF;
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_parse_expression(parser, &out->value));
    KAS_TRY(parse_block(parser, &out->body));
    if (!kas_script_at_word(parser, "else")) return NULL;
    KAS_TRY(kas_script_take(parser));
    return parse_block(parser, &out->otherwise);
}

static kas_status parse_for(kas_script_parser *parser, kas_script_statement *out)
{
    bool trailing;
    out->kind = KAS_SCRIPT_FOR;
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_parse_expressions(parser, &out->targets, &out->target_count, &trailing));
    if (out->target_count != 1 || out->targets->kind != KAS_SCRIPT_NAME)
        return kas_script_expected(parser, "one name before \"in\"");
    if (!kas_script_at_word(parser, "in")) return kas_script_expected(parser, "\"in\"");
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_parse_expression(parser, &out->value));
    ++parser->function->name_count;
    return parse_block(parser, &out->body);
}

static void note_unsupported(kas_script_parser *parser, kas_script_statement *statement, kas_span what)
{
    statement->kind = KAS_SCRIPT_UNSUPPORTED;
    statement->text = what;
    if (!parser->function->unsupported) parser->function->unsupported = statement;
}

/* Its condition and body are only parsed. */
static kas_status parse_unsupported(kas_script_parser *parser, kas_script_statement *out)
{
    bool trailing;
    note_unsupported(parser, out, parser->token.text);
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_parse_expressions(parser, &out->value, &out->target_count, &trailing));
    if (kas_script_at_word(parser, "as")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &out->targets));
    }
    return parse_block(parser, &out->body);
}

static kas_status check_targets(kas_script_parser *parser, kas_script_statement *statement)
{
    static const uint8_t what[] = "assignment to an attribute or an element";
    for (const kas_script_expression *target = statement->targets; target; target = target->next) {
        if (target->kind == KAS_SCRIPT_ATTRIBUTE || target->kind == KAS_SCRIPT_INDEX)
            note_unsupported(parser, statement, (kas_span){what, sizeof what - 1});
        else if (target->kind != KAS_SCRIPT_NAME)
            return kas_script_expected(parser, "names before \"=\"");
        ++parser->function->name_count;
    }
    return NULL;
}

/* A list of values is kept as a TUPLE. */
static kas_status parse_values(kas_script_parser *parser, kas_script_expression **out)
{
    kas_script_expression *first;
    size_t count;
    bool trailing;
    void *room;
    KAS_TRY(kas_script_parse_expressions(parser, &first, &count, &trailing));
    *out = first;
    if (count == 1 && !trailing) return NULL;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_expression), &room));
    *out = room;
    **out = (kas_script_expression){
        .kind = KAS_SCRIPT_TUPLE, .line = first->line, .first = first, .count = count};
    return NULL;
}

/* `a, b, = value`, `a : type = value`, or a call on its own. */
static kas_status parse_simple(kas_script_parser *parser, kas_script_statement *out)
{
    kas_script_expression *type;
    bool trailing;
    KAS_TRY(kas_script_parse_expressions(parser, &out->targets, &out->target_count, &trailing));
    if (kas_script_at_mark(parser, ":") && out->target_count == 1) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &type));
    }
    if (kas_script_at_mark(parser, "=")) {
        out->kind = KAS_SCRIPT_ASSIGN;
        out->unpacks = out->target_count > 1 || trailing;
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(check_targets(parser, out));
        KAS_TRY(parse_values(parser, &out->value));
        return end_line(parser);
    }
    if (out->target_count != 1 || trailing) return kas_script_expected(parser, "\"=\"");
    out->kind = KAS_SCRIPT_EVALUATE;
    out->value = out->targets;
    return end_line(parser);
}

static kas_status parse_statement(kas_script_parser *parser, kas_script_statement *out)
{
    if (kas_script_at_word(parser, "return")) return parse_return(parser, out);
    if (kas_script_at_word(parser, "if")) return parse_if(parser, out);
    if (kas_script_at_word(parser, "for")) return parse_for(parser, out);
    if (kas_script_at_word(parser, "while") || kas_script_at_word(parser, "with"))
        return parse_unsupported(parser, out);
    if (!kas_script_at_word(parser, "pass")) return parse_simple(parser, out);
    KAS_TRY(kas_script_take(parser));
    return end_line(parser);
}

static kas_status parse_block(kas_script_parser *parser, kas_script_statement **out)
{
    kas_script_statement **end = out;
    void *room;
    *out = NULL;
    KAS_TRY(begin_block(parser)); /* the lexer bounds how deep blocks nest */
    while (parser->token.kind != KAS_TOKEN_DEDENT) {
        if (parser->token.kind == KAS_TOKEN_END) return kas_script_expected(parser, "a statement");
        KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_statement), &room));
        *end = room;
        (*end)->line = parser->token.line;
        KAS_TRY(parse_statement(parser, *end));
        end = &(*end)->next;
    }
    return kas_script_take(parser);
}

/* ---- functions ---- */

static kas_status parse_parameter(kas_script_parser *parser, kas_script_parameter **out)
{
    void *room;
    kas_script_expression *type;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_parameter), &room));
    *out = room;
    KAS_TRY(kas_script_take_name(parser, &(*out)->name));
    if (kas_script_at_mark(parser, ":")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &type));
    }
    if (!kas_script_at_mark(parser, "=")) return NULL;
    KAS_TRY(kas_script_take(parser));
    return kas_script_parse_expression(parser, &(*out)->absent);
}

static kas_status parse_parameters(kas_script_parser *parser, kas_script_function *function)
{
    kas_script_parameter **end = &function->parameters;
    KAS_TRY(kas_script_take_mark(parser, "("));
    while (!kas_script_at_mark(parser, ")")) {
        if (function->parameter_count == KAS_SCRIPT_MAX_ARGUMENTS)
            return kas_refuse(KAS_REASON_LIMIT, "%.*s:%u: \"%.*s\" has more than %d parameters",
                              KAS_SPAN_ARGS(parser->lexer.path), (unsigned)function->line,
                              KAS_SPAN_ARGS(function->name), (int)KAS_SCRIPT_MAX_ARGUMENTS);
        KAS_TRY(parse_parameter(parser, end));
        end = &(*end)->next;
        ++function->parameter_count;
        ++function->name_count;
        if (!kas_script_at_mark(parser, ")")) KAS_TRY(kas_script_take_mark(parser, ","));
    }
    return kas_script_take(parser);
}

static kas_status parse_function(kas_script_parser *parser, kas_script_function **out)
{
    void *room;
    kas_script_expression *type;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_function), &room));
    kas_script_function *function = room;
    *out = parser->function = function;
    function->line = parser->token.line;
    function->file = parser->file;
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_take_name(parser, &function->name));
    KAS_TRY(parse_parameters(parser, function));
    if (kas_script_at_mark(parser, "->")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &type));
    }
    return parse_block(parser, &function->body);
}

/* ---- classes ---- */

/* `name : type`, `name : type = value`, `name = value`, `__annotations__["0"] = type`: kept where there is a
 * value. */
static kas_status parse_declaration(kas_script_parser *parser, kas_script_constant ***end)
{
    kas_script_expression *target, *value = NULL;
    void *room;
    KAS_TRY(kas_script_parse_expression(parser, &target));
    if (kas_script_at_mark(parser, ":")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &value));
        value = NULL;
    }
    if (kas_script_at_mark(parser, "=")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &value));
    }
    KAS_TRY(end_line(parser));
    if (!value || target->kind != KAS_SCRIPT_NAME) return NULL;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_constant), &room));
    **end = room;
    (**end)->name = target->text;
    (**end)->value = value;
    *end = &(**end)->next;
    return NULL;
}

static kas_status parse_class_body(kas_script_parser *parser, kas_script_class *out)
{
    kas_script_constant **constants = &out->constants;
    kas_script_function **methods = &out->methods;
    KAS_TRY(begin_block(parser));
    while (parser->token.kind != KAS_TOKEN_DEDENT) {
        if (parser->token.kind == KAS_TOKEN_END)
            return kas_script_expected(parser, "a declaration or a method");
        if (kas_script_at_word(parser, "def")) {
            KAS_TRY(parse_function(parser, methods));
            methods = &(*methods)->next;
        } else if (kas_script_at_word(parser, "pass")) {
            KAS_TRY(kas_script_take(parser));
            KAS_TRY(end_line(parser));
        } else {
            KAS_TRY(parse_declaration(parser, &constants));
        }
    }
    return kas_script_take(parser);
}

static kas_status parse_class(kas_script_parser *parser, kas_script_class **out)
{
    void *room;
    kas_script_expression *base;
    KAS_TRY(kas_arena_take(parser->arena, 1, sizeof(kas_script_class), &room));
    *out = room;
    (*out)->line = parser->token.line;
    (*out)->file = parser->file;
    KAS_TRY(kas_script_take(parser));
    KAS_TRY(kas_script_take_name(parser, &(*out)->name));
    if (kas_script_at_mark(parser, "(")) {
        KAS_TRY(kas_script_take(parser));
        KAS_TRY(kas_script_parse_expression(parser, &base));
        KAS_TRY(kas_script_take_mark(parser, ")"));
    }
    return parse_class_body(parser, *out);
}

/* ---- files ---- */

static kas_status parse_file(kas_script_parser *parser)
{
    kas_script_class **classes = &parser->file->classes;
    kas_script_function **functions = &parser->file->functions;
    KAS_TRY(kas_script_take(parser));
    while (parser->token.kind != KAS_TOKEN_END) {
        if (kas_script_at_word(parser, "class")) {
            KAS_TRY(parse_class(parser, classes));
            classes = &(*classes)->next;
        } else if (kas_script_at_word(parser, "def")) {
            KAS_TRY(parse_function(parser, functions));
            functions = &(*functions)->next;
        } else {
            return kas_script_expected(parser, "\"class\" or \"def\"");
        }
    }
    return NULL;
}

kas_status kas_script_parse(kas_span path, kas_span source, kas_arena *arena, kas_script_file *out)
{
    kas_script_parser parser = {.arena = arena, .nesting_left = KAS_SCRIPT_MAX_NESTING, .file = out};
    *out = (kas_script_file){.path = path};
    if (source.size > KAS_SCRIPT_MAX_SOURCE_BYTES)
        return kas_refuse(KAS_REASON_LIMIT, "%.*s: %zu bytes of code are over the limit of %d",
                          KAS_SPAN_ARGS(path), source.size, (int)KAS_SCRIPT_MAX_SOURCE_BYTES);
    kas_script_lexer_init(&parser.lexer, path, source, arena);
    return parse_file(&parser);
}
