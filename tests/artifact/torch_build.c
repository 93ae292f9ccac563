#include "tests/artifact/torch_build.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64 };

/* ---- pickles ---- */

void pickle_raw(pickle_text *to, const void *bytes, size_t size)
{
    cr_assert(to->size + size <= sizeof to->bytes, "the pickle is too long for its test");
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

void pickle_op(pickle_text *to, char opcode)
{
    pickle_raw(to, &opcode, 1);
}

void pickle_begin(pickle_text *to)
{
    to->size = 0;
    pickle_raw(to, "\x80\2", 2);
}

void pickle_end(pickle_text *to)
{
    pickle_op(to, '.');
}

static void put_number(pickle_text *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; ++i)
        pickle_op(to, (char)(uint8_t)(value >> (8 * i)));
}

void pickle_string(pickle_text *to, const char *text)
{
    pickle_op(to, 'X');
    put_number(to, strlen(text), 4);
    pickle_raw(to, text, strlen(text));
}

void pickle_integer(pickle_text *to, int64_t value)
{
    pickle_raw(to, "\x8a\x08", 2);
    put_number(to, (uint64_t)value, 8);
}

static void put_global(pickle_text *to, const char *module, const char *name)
{
    char text[2 * NAME_BYTES];
    const int size = snprintf(text, sizeof text, "c%s\n%s\n", module, name);
    pickle_raw(to, text, (size_t)size);
}

static void put_dims(pickle_text *to, const int64_t dims[4], const int64_t sizes[4])
{
    pickle_op(to, '(');
    for (int i = 0; i < 4 && sizes[i]; ++i)
        pickle_integer(to, dims[i]);
    pickle_op(to, 't');
}

void pickle_tensor(pickle_text *to, const tensor_view *view)
{
    const bool typed = strstr(view->storage, "Storage") != NULL;
    put_global(to, "torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
    pickle_raw(to, "((", 2);
    pickle_string(to, "storage");
    put_global(to, typed ? "torch" : "torch.storage", typed ? view->storage : "UntypedStorage");
    pickle_string(to, view->key);
    pickle_string(to, "cpu");
    pickle_integer(to, view->storage_elements);
    pickle_raw(to, "tQ", 2);
    pickle_integer(to, view->offset);
    put_dims(to, view->sizes, view->sizes);
    put_dims(to, view->strides, view->sizes);
    pickle_raw(to, "\x89}", 2);
    if (!typed) put_global(to, "torch", view->storage);
    pickle_raw(to, "tR", 2);
}

void pickle_member(pickle_text *to, const char *name, const char *text)
{
    pickle_string(to, name);
    pickle_string(to, text);
}

void pickle_member_integer(pickle_text *to, const char *name, int64_t value)
{
    pickle_string(to, name);
    pickle_integer(to, value);
}

void pickle_member_tensor(pickle_text *to, const char *name, const tensor_view *view)
{
    pickle_string(to, name);
    pickle_tensor(to, view);
}

tensor_view dense(const char *key, int64_t rows, int64_t columns)
{
    if (columns == 0)
        return (tensor_view){
            .storage = "FloatStorage", .key = key, .storage_elements = rows, .sizes = {rows}, .strides = {1}};
    return (tensor_view){.storage = "FloatStorage",
                         .key = key,
                         .storage_elements = rows * columns,
                         .sizes = {rows, columns},
                         .strides = {columns, 1}};
}

/* ---- archives ---- */

zip_image torch_build(const pickle_text *pickle, const zip_part *others, size_t count)
{
    zip_part parts[ZIP_MAX_PARTS] = {{"archive/data.pkl", pickle->bytes, pickle->size, false}};
    char names[ZIP_MAX_PARTS][NAME_BYTES];
    cr_assert(count < ZIP_MAX_PARTS);
    for (size_t i = 0; i < count; ++i) {
        snprintf(names[i], NAME_BYTES, "archive/%s", others[i].name);
        parts[i + 1] = others[i];
        parts[i + 1].name = names[i];
    }
    zip_image image = zip_build(parts, count + 1, ZIP_64 | ZIP_DESCRIPTORS);
    cr_assert_not_null(image.bytes);
    return image;
}
