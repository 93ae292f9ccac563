/* The zip reader: every style that writers use is read; one wrong field at a time is refused, and says which.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/artifact/zip.h"
#include "tests/artifact/zip_build.h"
#include "tests/unit/graph_fixture.h"

TestSuite(zip, .fini = expect_no_leaks);

enum { PICKLE, CODE, TENSOR, PARTS, ARENA_BYTES = 1 << 20 };

static char code[4096];

static void make_parts(zip_part parts[PARTS])
{
    memset(code, 'x', sizeof code);
    parts[PICKLE] = (zip_part){"archive/data.pkl", "\200\2N.", 4, false};
    parts[CODE] = (zip_part){"archive/code/m.py", code, sizeof code, true};
    parts[TENSOR] = (zip_part){"archive/data/0", "0123456789abcdef", 16, false};
}

static zip_image honest(unsigned style)
{
    zip_part parts[PARTS];
    make_parts(parts);
    zip_image image = zip_build(parts, PARTS, style);
    cr_assert_not_null(image.bytes);
    return image;
}

static kas_span name_of(const char *text)
{
    return (kas_span){(const uint8_t *)text, strlen(text)};
}

/* Opens the archive and reads all of it. */
static kas_status read_all(const zip_image *image, kas_arena *arena, kas_zip *out)
{
    kas_span content;
    KAS_TRY(kas_zip_open(image->bytes, image->size, arena, out));
    for (size_t i = 0; i < out->count; ++i)
        KAS_TRY(kas_zip_read(out, &out->entries[i], &content));
    return NULL;
}

static void expect_refused(const zip_image *image, const char *reason, const char *part)
{
    kas_arena arena;
    kas_zip zip;
    kas_arena_init(&arena, ARENA_BYTES);
    kas_status status = read_all(image, &arena, &zip);
    kas_arena_finish(&arena);
    cr_assert_not_null(status, "it is read, and should be refused: %s", part);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), part), "\"%s\" does not say \"%s\"",
                       kas_status_message(status), part);
    kas_status_free(status);
}

/* ---- what is read ---- */

static void expect_honest(unsigned style)
{
    kas_arena arena;
    kas_zip zip;
    kas_span content;
    zip_image image = honest(style);
    kas_arena_init(&arena, ARENA_BYTES);
    kas_status status = read_all(&image, &arena, &zip);
    cr_assert_null(status, "style %u: %s", style, kas_status_message(status));
    kas_zip_entry *entry = kas_zip_find(&zip, name_of("archive/code/m.py"));
    cr_assert_not_null(entry);
    cr_assert_null(kas_zip_read(&zip, entry, &content));
    cr_expect_eq(content.size, sizeof code);
    cr_expect_arr_eq(content.data, code, sizeof code);
    entry = kas_zip_find(&zip, name_of("archive/data/0"));
    cr_assert_null(kas_zip_read(&zip, entry, &content));
    cr_expect_eq(content.data, image.bytes + image.data[TENSOR], "what is stored is not copied");
    cr_expect_null(kas_zip_find(&zip, name_of("archive/data/")));
    cr_expect_null(kas_zip_find(&zip, name_of("archive/data/00")));
    kas_arena_finish(&arena);
    zip_image_free(&image);
}

Test(zip, every_style_is_read)
{
    for (unsigned style = 0; style <= (ZIP_DESCRIPTORS | ZIP_64); ++style)
        expect_honest(style);
}

Test(zip, a_comment_may_follow)
{
    zip_part parts[PARTS];
    kas_arena arena;
    kas_zip zip;
    uint8_t bytes[2048];
    make_parts(parts);
    zip_image image = zip_build(parts, PARTS, ZIP_PLAIN);
    memcpy(bytes, image.bytes, image.size);
    memcpy(bytes + image.size, "PK\5\6 and more", 13);
    bytes[image.end + 20] = 13;
    kas_arena_init(&arena, ARENA_BYTES);
    kas_status status = kas_zip_open(bytes, image.size + 13, &arena, &zip);
    cr_expect_null(status, "%s", kas_status_message(status));
    cr_expect_eq(zip.count, PARTS);
    kas_arena_finish(&arena);
    zip_image_free(&image);
}

Test(zip, one_without_entries)
{
    kas_arena arena;
    kas_zip zip;
    zip_image image = zip_build(NULL, 0, ZIP_PLAIN);
    kas_arena_init(&arena, ARENA_BYTES);
    cr_expect_null(kas_zip_open(image.bytes, image.size, &arena, &zip));
    cr_expect_eq(zip.count, 0);
    cr_expect_null(kas_zip_find(&zip, name_of("x")));
    kas_arena_finish(&arena);
    zip_image_free(&image);
}

/* ---- one field that is wrong ---- */

typedef enum place { LOCAL, DATA, CENTRAL, END64, LOCATOR, END } place;

typedef struct wrong_field {
    place where;
    size_t part, offset;
    unsigned bytes;
    uint64_t value;
    unsigned style;
    const char *reason, *says;
} wrong_field;

static const wrong_field wrong_fields[] = {
    {END, 0, 0, 4, 0, ZIP_PLAIN, "malformed", "no end of central directory"},
    {END, 0, 20, 2, 1, ZIP_PLAIN, "malformed", "comment"},
    {END, 0, 4, 2, 3, ZIP_PLAIN, "unsupported", "disk 3"},
    {END, 0, 8, 2, 2, ZIP_PLAIN, "malformed", "3 in all"},
    {END, 0, 12, 4, 0x7ffffff0, ZIP_PLAIN, "malformed", "beyond the end"},
    {END, 0, 16, 4, 0x7ffffff0, ZIP_PLAIN, "malformed", "offset 2147483632"},
    {END, 0, 10, 2, 4, ZIP_64, "malformed", "counts"},
    {END64, 0, 0, 4, 0, ZIP_64, "malformed", "zip64: no end record"},
    {END64, 0, 4, 8, 45, ZIP_64, "malformed", "zip64: the end record does not end"},
    {END64, 0, 16, 4, 1, ZIP_64, "unsupported", "zip64: a disk"},
    {END64, 0, 32, 8, 1ull << 48, ZIP_64, "malformed", "zip64: the end records differ"},
    {END64, 0, 48, 8, 1ull << 63, ZIP_64, "malformed", "zip64: the end records differ"},
    {LOCATOR, 0, 8, 8, 1ull << 62, ZIP_64, "malformed", "zip64: the locator"},
    {CENTRAL, CODE, 0, 4, 0, ZIP_PLAIN, "malformed", "no entry of the zip's central directory"},
    {CENTRAL, CODE, 8, 2, 0x801, ZIP_PLAIN, "unsupported", "encrypted"},
    {CENTRAL, CODE, 8, 2, 0x820, ZIP_PLAIN, "unsupported", "patch"},
    {CENTRAL, CODE, 10, 2, 14, ZIP_PLAIN, "unsupported", "method 14"},
    {CENTRAL, CODE, 16, 4, 1, ZIP_DESCRIPTORS, "malformed", "data descriptor"},
    {CENTRAL, CODE, 24, 4, 0xfffffff0, ZIP_PLAIN, "limit", "4294967280"},
    {CENTRAL, CODE, 24, 4, 9 << 20, ZIP_PLAIN, "limit", "ratio"},
    {CENTRAL, TENSOR, 24, 4, 17, ZIP_PLAIN, "malformed", "sizes differ"},
    {CENTRAL, CODE, 28, 2, 0xfff0, ZIP_PLAIN, "malformed", "beyond the end of the zip's central directory"},
    {CENTRAL, TENSOR, 42, 4, 0x7ffffff0, ZIP_PLAIN, "malformed", "local header's offset 2147483632"},
    {CENTRAL, TENSOR, 42, 4, 0xffffffff, ZIP_PLAIN, "malformed", "zip64: a size or offset"},
    {CENTRAL, TENSOR, 46, 1, '/', ZIP_PLAIN, "malformed", "unsafe name"},
    {CENTRAL, TENSOR, 48, 1, '\\', ZIP_PLAIN, "malformed", "backslash"},
    {CENTRAL, TENSOR, 48, 1, 0, ZIP_PLAIN, "malformed", "control character"},
    {CENTRAL, TENSOR, 48, 1, 0xff, ZIP_PLAIN, "malformed", "UTF-8"},
    {CENTRAL, TENSOR, 46 + 8, 2, '.' | '.' << 8, ZIP_PLAIN, "malformed", "name that differs"},
    {LOCAL, TENSOR, 0, 4, 0, ZIP_PLAIN, "malformed", "signature"},
    {LOCAL, TENSOR, 6, 2, 0, ZIP_PLAIN, "malformed", "differs in its flags"},
    {LOCAL, TENSOR, 8, 2, 8, ZIP_PLAIN, "malformed", "compression method"},
    {LOCAL, TENSOR, 14, 4, 1, ZIP_PLAIN, "malformed", "size or CRC"},
    {LOCAL, TENSOR, 18, 4, 15, ZIP_PLAIN, "malformed", "size or CRC"},
    {LOCAL, TENSOR, 22, 4, 15, ZIP_DESCRIPTORS, "malformed", "size or CRC"},
    {LOCAL, TENSOR, 26, 2, 0xfff0, ZIP_PLAIN, "malformed", "local header goes beyond"},
    {LOCAL, TENSOR, 30, 1, 'x', ZIP_PLAIN, "malformed", "name that differs"},
    {DATA, TENSOR, 3, 1, 'x', ZIP_PLAIN, "checksum", "CRC-32"},
    {DATA, PICKLE, 0, 1, 'x', ZIP_64, "checksum", "archive/data.pkl"},
    {DATA, CODE, 0, 4, 0xffffffff, ZIP_PLAIN, "malformed", "corrupt"},
};

static size_t place_of(const zip_image *image, const wrong_field *wrong)
{
    const size_t bases[] = {
        [LOCAL] = image->local[wrong->part],
        [DATA] = image->data[wrong->part],
        [CENTRAL] = image->central[wrong->part],
        [END64] = image->end64,
        [LOCATOR] = image->locator,
        [END] = image->end,
    };
    return bases[wrong->where] + wrong->offset;
}

Test(zip, one_wrong_field_is_refused)
{
    for (size_t i = 0; i < sizeof wrong_fields / sizeof *wrong_fields; ++i) {
        const wrong_field *wrong = &wrong_fields[i];
        zip_image image = honest(wrong->style);
        const size_t at = place_of(&image, wrong);
        for (unsigned k = 0; k < wrong->bytes; ++k)
            image.bytes[at + k] = (uint8_t)(wrong->value >> (8 * k));
        expect_refused(&image, wrong->reason, wrong->says);
        zip_image_free(&image);
    }
}

Test(zip, any_cut_is_refused)
{
    zip_image image = honest(ZIP_64 | ZIP_DESCRIPTORS);
    const size_t whole = image.size;
    for (image.size = 0; image.size < whole; ++image.size)
        expect_refused(&image, "malformed", "truncated");
    image.size = whole;
    zip_image_free(&image);
}

/* ---- entries against each other ---- */

Test(zip, two_entries_of_one_name)
{
    const zip_part parts[] = {{"a/x", "1", 1, false}, {"a/x", "2", 1, false}};
    zip_image image = zip_build(parts, 2, ZIP_PLAIN);
    expect_refused(&image, "malformed", "duplicate");
    zip_image_free(&image);
}

Test(zip, entries_that_overlap)
{
    /* The second entry's local header is within the first one's data. */
    const zip_part inner = {"a/y", "", 0, false};
    zip_image nested = zip_build(&inner, 1, ZIP_PLAIN);
    const zip_part parts[] = {{"a/x", nested.bytes, nested.size, false}, inner};
    zip_image image = zip_build(parts, 2, ZIP_PLAIN);
    zip_put32(&image, image.central[1] + 42, (uint32_t)image.data[0]);
    expect_refused(&image, "malformed", "overlap");
    zip_image_free(&image);
    zip_image_free(&nested);
}

Test(zip, something_before_the_first_entry)
{
    zip_image image = honest(ZIP_PLAIN);
    zip_put16(&image, image.end + 8, PARTS - 1);
    zip_put16(&image, image.end + 10, PARTS - 1);
    zip_put32(&image, image.end + 12, (uint32_t)(image.end - image.central[1]));
    zip_put32(&image, image.end + 16, (uint32_t)image.central[1]);
    expect_refused(&image, "malformed", "stands before it");
    zip_image_free(&image);
}

Test(zip, a_deflated_entry_of_another_size)
{
    static const struct {
        uint32_t size;
        const char *says;
    } cases[] = {{sizeof code + 100, "short of its declared size"}, {100, "more than its declared size"}};
    for (size_t i = 0; i < 2; ++i) {
        zip_image image = honest(ZIP_PLAIN);
        zip_put32(&image, image.local[CODE] + 22, cases[i].size);
        zip_put32(&image, image.central[CODE] + 24, cases[i].size);
        expect_refused(&image, "malformed", cases[i].says);
        zip_image_free(&image);
    }
}

Test(zip, what_inflates_beyond_the_budget)
{
    kas_arena arena;
    kas_zip zip;
    zip_image image = honest(ZIP_PLAIN);
    kas_arena_init(&arena, 18000); /* the directory's block, and no other */
    kas_status status = read_all(&image, &arena, &zip);
    cr_expect_str_eq(kas_status_reason(status), "");
    kas_status_free(status);
    kas_arena_finish(&arena);
    kas_arena_init(&arena, 1000);
    status = read_all(&image, &arena, &zip);
    cr_expect_str_eq(kas_status_reason(status), "limit");
    kas_status_free(status);
    kas_arena_finish(&arena);
    zip_image_free(&image);
}
