/* What the two halves of the parser share: expressions, and statements with what holds them. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_PARSER_H
#define KAS_ARTIFACT_TORCHSCRIPT_PARSER_H

#include "engine/artifact/torchscript_lexer.h"

typedef struct kas_script_parser {
    kas_script_lexer lexer;
    kas_arena *arena;
    kas_script_token token; /* the next one, not yet taken */
    uint32_t nesting_left;
    kas_script_file *file;
    kas_script_function *function; /* whose body is being parsed */
} kas_script_parser;

/* "code/….py:12: expected …, found …" */
kas_status kas_script_expected(const kas_script_parser *parser, const char *what) KAS_MUST_USE;
kas_status kas_script_take(kas_script_parser *parser) KAS_MUST_USE; /* moves on to the next token */
bool kas_script_at_mark(const kas_script_parser *parser, const char *mark);
bool kas_script_at_word(const kas_script_parser *parser, const char *word);
/* Takes the mark, or refuses what stands there. */
kas_status kas_script_take_mark(kas_script_parser *parser, const char *mark) KAS_MUST_USE;
kas_status kas_script_take_name(kas_script_parser *parser, kas_span *out) KAS_MUST_USE;

kas_status kas_script_parse_expression(kas_script_parser *parser, kas_script_expression **out) KAS_MUST_USE;
/* "a, b" up to the end of a statement or a "=": a list; *trailing tells if it ended with a comma. */
kas_status kas_script_parse_expressions(kas_script_parser *parser, kas_script_expression **out, size_t *count,
                                        bool *trailing) KAS_MUST_USE;

#endif
