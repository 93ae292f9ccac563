#include "tests/artifact/script_archive.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { ENTRIES_MAX = 16, ELEMENTS_MAX = 64, PICKLE_MAX = 2048, NAME_MAX_BYTES = 64 };

static const char child_code[] = "class Child(Module):\n"
                                 "  __parameters__ = [\"gain\", ]\n"
                                 "  gain : Tensor\n"
                                 "  training : bool\n"
                                 "  def forward(self: __torch__.parts.Child,\n"
                                 "    x: Tensor,\n"
                                 "    limit: float=1.) -> Tensor:\n"
                                 "    training = self.training\n"
                                 "    if training:\n"
                                 "      y = torch.dropout(x, 0.5, True)\n"
                                 "    else:\n"
                                 "      y = x\n"
                                 "    return torch.mul(torch.tanh(torch.div(y, limit)), limit)\n"
                                 "  def both(self: __torch__.parts.Child,\n"
                                 "    x: Tensor) -> Tuple[Tensor, Tensor]:\n"
                                 "    return (torch.mul(x, self.gain), torch.sub(x, self.gain))\n"
                                 "  def never(self: __torch__.parts.Child,\n"
                                 "    x: Tensor) -> Tensor:\n"
                                 "    while True:\n"
                                 "      self.gain = x\n"
                                 "    return x\n";

/* ---- the zip ------------------------------------------------------------------------------------------- */

typedef struct archive {
    uint8_t *out;
    size_t size;
    struct {
        char name[NAME_MAX_BYTES];
        uint32_t offset, size, crc;
    } entries[ENTRIES_MAX];
    size_t count;
} archive;

static void put(archive *to, const void *bytes, size_t size)
{
    if (size) memcpy(to->out + to->size, bytes, size);
    to->size += size;
}

static void put_number(archive *to, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; ++i, value >>= 8)
        to->out[to->size++] = (uint8_t)value;
}

/* What a local header and an entry of the directory have in common. */
static void put_description(archive *to, size_t entry)
{
    put_number(to, 20, 2); /* version needed */
    put_number(to, 0, 2);  /* flags */
    put_number(to, 0, 2);  /* stored */
    put_number(to, 0, 4);  /* no date */
    put_number(to, to->entries[entry].crc, 4);
    put_number(to, to->entries[entry].size, 4);
    put_number(to, to->entries[entry].size, 4);
    put_number(to, (uint32_t)strlen(to->entries[entry].name), 2);
    put_number(to, 0, 2); /* no extra field */
}

static void add(archive *to, const char *name, const void *bytes, size_t size)
{
    const size_t entry = to->count++;
    snprintf(to->entries[entry].name, NAME_MAX_BYTES, "kernel/%s", name);
    to->entries[entry].offset = (uint32_t)to->size;
    to->entries[entry].size = (uint32_t)size;
    to->entries[entry].crc = (uint32_t)crc32(0, bytes, (uInt)size);
    put_number(to, 0x04034b50, 4);
    put_description(to, entry);
    put(to, to->entries[entry].name, strlen(to->entries[entry].name));
    put(to, bytes, size);
}

static void finish(archive *to)
{
    const size_t directory = to->size;
    for (size_t i = 0; i < to->count; ++i) {
        put_number(to, 0x02014b50, 4);
        put_number(to, 20, 2); /* version made by */
        put_description(to, i);
        put_number(to, 0, 4); /* no comment, disk 0 */
        put_number(to, 0, 2); /* internal attributes */
        put_number(to, 0, 4); /* external attributes */
        put_number(to, to->entries[i].offset, 4);
        put(to, to->entries[i].name, strlen(to->entries[i].name));
    }
    const size_t end = to->size;
    put_number(to, 0x06054b50, 4);
    put_number(to, 0, 4);
    put_number(to, (uint32_t)to->count, 2);
    put_number(to, (uint32_t)to->count, 2);
    put_number(to, (uint32_t)(end - directory), 4);
    put_number(to, (uint32_t)directory, 4);
    put_number(to, 0, 2);
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

/* Values of tensor `number`: multiples of 1/16 around 0, or all of 0.5 and more. */
static float value_of(unsigned number, unsigned element, bool positive)
{
    const float value = (float)((int)((element * 37 + number * 11) % 23) - 11) / 16.0f;
    return positive ? (value < 0 ? -value : value) + 0.5f : value;
}

static void add_floats(archive *to, const char *name, unsigned number, unsigned count, bool positive)
{
    float values[ELEMENTS_MAX];
    for (unsigned i = 0; i < count; ++i)
        values[i] = value_of(number, i, positive);
    add(to, name, values, count * sizeof *values);
}

/* ---- pickles ------------------------------------------------------------------------------------------- */

typedef struct pickle {
    uint8_t bytes[PICKLE_MAX];
    size_t size;
} pickle;

static void raw(pickle *to, const char *opcodes, size_t size)
{
    memcpy(to->bytes + to->size, opcodes, size);
    to->size += size;
}
#define RAW(to, opcodes) raw((to), (opcodes), sizeof(opcodes) - 1)

static void text(pickle *to, const char *value)
{
    const char length[4] = {(char)strlen(value), 0, 0, 0};
    RAW(to, "X");
    raw(to, length, sizeof length);
    raw(to, value, strlen(value));
}

static void small(pickle *to, unsigned value)
{
    const char opcode[2] = {'K', (char)value};
    raw(to, opcode, sizeof opcode);
}

/* A contiguous tensor of up to two dimensions, columns 0 for one, rows 0 for none. */
static void tensor(pickle *to, const char *storage, const char *key, unsigned rows, unsigned columns)
{
    RAW(to, "ctorch._utils\n_rebuild_tensor_v2\n((");
    text(to, "storage");
    raw(to, storage, strlen(storage));
    text(to, key);
    text(to, "cpu");
    small(to, (rows ? rows : 1) * (columns ? columns : 1));
    RAW(to, "tQK\0(");
    if (rows) small(to, rows);
    if (columns) small(to, columns);
    RAW(to, "t(");
    if (columns) small(to, columns);
    if (rows) small(to, 1);
    RAW(to, "t\x89"
            "ccollections\nOrderedDict\n)RtR");
}

static void add_state(archive *to)
{
    static const struct {
        const char *name, *key;
        unsigned rows, columns;
    } tensors[] = {{"weight", "0", 3, 12}, {"bias", "1", 3, 0},  {"square", "2", 4, 4},
                   {"gain", "3", 12, 0},   {"mean", "4", 12, 0}, {"variance", "5", 12, 0}};
    pickle state = {.size = 0};
    RAW(&state, "\x80\x02"
                "c__torch__\nKernel\n)\x81}(");
    text(&state, "training");
    RAW(&state, "\x89");
    text(&state, "scale");
    RAW(&state, "G\x3f\xe0\0\0\0\0\0\0");
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) {
        text(&state, tensors[i].name);
        tensor(&state, "ctorch\nFloatStorage\n", tensors[i].key, tensors[i].rows, tensors[i].columns);
    }
    text(&state, "child");
    RAW(&state, "c__torch__.parts\nChild\n)\x81}(");
    text(&state, "training");
    RAW(&state, "\x89");
    text(&state, "gain");
    tensor(&state, "ctorch\nFloatStorage\n", "6", 12, 0);
    RAW(&state, "ubub.");
    add(to, "data.pkl", state.bytes, state.size);
}

static void add_constants(archive *to)
{
    const double number = 1.75;
    pickle constants = {.size = 0};
    RAW(&constants, "\x80\x02(");
    tensor(&constants, "ctorch\nDoubleStorage\n", "0", 0, 0);
    tensor(&constants, "ctorch\nFloatStorage\n", "1", 12, 0);
    RAW(&constants, "t.");
    add(to, "constants.pkl", constants.bytes, constants.size);
    add(to, "constants/0", &number, sizeof number);
    add_floats(to, "constants/1", 7, 12, false);
}

size_t script_archive(const void *code, size_t size_bytes, uint8_t *out)
{
    archive to = {.out = out};
    add_state(&to);
    add(&to, "code/__torch__.py", code, size_bytes);
    add(&to, "code/__torch__/parts.py", child_code, sizeof child_code - 1);
    add_floats(&to, "data/0", 0, 36, false);
    add_floats(&to, "data/1", 1, 3, false);
    add_floats(&to, "data/2", 2, 16, false);
    add_floats(&to, "data/3", 3, 12, false);
    add_floats(&to, "data/4", 4, 12, false);
    add_floats(&to, "data/5", 5, 12, true);
    add_floats(&to, "data/6", 6, 12, false);
    add_constants(&to);
    add(&to, "version", "3\n", 2);
    finish(&to);
    return to.size;
}
