/* What a program that has told setlocale to write numbers with a comma finds in us: nothing changes. The
 * locale is made here, since a machine may have none but C. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "engine/artifact/torchscript_lexer.h"
#include "engine/cache/record.h"

static char folder[] = "/tmp/kasmina-locale-XXXXXX";

static void write_sources(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/map", folder);
    FILE *map = fopen(path, "w");
    cr_assert_not_null(map);
    fputs("<code_set_name> ASCII\n<comment_char> %\n<escape_char> /\nCHARMAP\n", map);
    for (int i = 0; i < 128; ++i)
        fprintf(map, "<U%04X> /x%02x x\n", (unsigned)i, (unsigned)i);
    fputs("END CHARMAP\n", map);
    cr_assert_eq(fclose(map), 0);
    snprintf(path, sizeof path, "%s/source", folder);
    FILE *source = fopen(path, "w");
    cr_assert_not_null(source);
    fputs("comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \"<U002C>\"\nthousands_sep \"\"\n"
          "grouping -1\nEND LC_NUMERIC\n",
          source);
    cr_assert_eq(fclose(source), 0);
}

static void use_comma(void)
{
    char command[256];
    cr_assert_not_null(mkdtemp(folder));
    write_sources();
    snprintf(command, sizeof command,
             "cd %s && localedef -c --no-archive -i source -f map ./comma >log 2>&1; test -d comma", folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(setenv("LOCPATH", folder, 1), 0);
    cr_assert_not_null(setlocale(LC_NUMERIC, "comma"));
    cr_assert_str_eq(localeconv()->decimal_point, ",");
}

static void remove_comma(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(locale, .init = use_comma, .fini = remove_comma);

Test(locale, numbers_are_read_and_written_with_a_point)
{
    char *end, text[KAS_REAL_SIZE];
    cr_expect_eq(kas_parse_real("0.5x", &end), 0.5);
    cr_expect_str_eq(end, "x");
    kas_format_real(-0.5, text);
    cr_expect_str_eq(text, "-0.5");
    kas_format_real(-2.2250738585072014e-308, text);
    cr_expect_eq(kas_parse_real(text, &end), -2.2250738585072014e-308);
    cr_expect_str_eq(localeconv()->decimal_point, ",", "the program's own locale stays");
}

Test(locale, metadata_are_json)
{
    kas_metadata metadata = KAS_METADATA_ABSENT, again = KAS_METADATA_ABSENT;
    char *json;
    metadata.memory_footprint_mb = 0.5;
    metadata.input_shape = metadata.output_shape = (kas_shape){.rank = 1, .dims = {8}};
    cr_assert_null(kas_metadata_text(&metadata, &json));
    cr_expect_not_null(strstr(json, "\"memory_footprint_mb\":0.5,"), "%s", json);
    cr_assert_null(kas_metadata_parse(json, strlen(json), &again), "%s", json);
    cr_expect_eq(again.memory_footprint_mb, 0.5);
    kas_metadata_finish(&again);
    kas_free(json);
}

Test(locale, a_script_has_its_numbers)
{
    static const char source[] = "0.25";
    const kas_span path = {(const uint8_t *)"code", 4}, code = {(const uint8_t *)source, sizeof source - 1};
    kas_script_lexer lexer;
    kas_script_token token;
    kas_script_lexer_init(&lexer, path, code, NULL);
    cr_assert_null(kas_script_next(&lexer, &token));
    cr_expect_eq(token.kind, KAS_TOKEN_FLOAT);
    cr_expect_eq(token.number, 0.25);
}
