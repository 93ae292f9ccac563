/* Tokens of TorchScript's serialised code: Python's, with line ends and indentation as tokens outside of
 * brackets. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_LEXER_H
#define KAS_ARTIFACT_TORCHSCRIPT_LEXER_H

#include "engine/artifact/torchscript_code.h"

typedef enum kas_script_token_kind {
    KAS_TOKEN_END = 0,
    KAS_TOKEN_NAME,   /* keywords too */
    KAS_TOKEN_INT,    /* integer */
    KAS_TOKEN_FLOAT,  /* number */
    KAS_TOKEN_STRING, /* text: resolved */
    KAS_TOKEN_MARK,   /* one of ( ) [ ] { } , : = . - and -> */
    KAS_TOKEN_NEWLINE,
    KAS_TOKEN_INDENT,
    KAS_TOKEN_DEDENT,
} kas_script_token_kind;

typedef struct kas_script_token {
    kas_script_token_kind kind;
    uint32_t line;
    kas_span text; /* as in the source, but of a STRING */
    int64_t integer;
    double number;
} kas_script_token;

typedef struct kas_script_lexer {
    kas_span path;
    const uint8_t *at, *end;
    kas_arena *arena;
    uint32_t line;
    uint32_t brackets; /* open ones */
    bool line_begins;
    uint32_t indents[KAS_SCRIPT_MAX_NESTING + 1]; /* columns of the open blocks, the first 0 */
    uint32_t indent_count;
    uint32_t dedents; /* blocks that the present line closes and that are still to be told */
} kas_script_lexer;

void kas_script_lexer_init(kas_script_lexer *lexer, kas_span path, kas_span source, kas_arena *arena);
kas_status kas_script_next(kas_script_lexer *lexer, kas_script_token *out) KAS_MUST_USE;

/* "the end of the file", "\"import\"": for messages. */
enum { KAS_SCRIPT_TOKEN_SHOWN = 64 };
const char *kas_script_token_text(const kas_script_token *token, char out[KAS_SCRIPT_TOKEN_SHOWN]);

#endif
