#include "tests/artifact/script_archive.h"

#include <stdbool.h>
#include <string.h>

enum { TENSORS = 8, ELEMENTS_MAX = 36, PICKLE_MAX = 2048 };

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

/* What the parts of the archive point to. */
typedef struct contents {
    zip_part parts[ZIP_MAX_PARTS];
    size_t count;
    float tensors[TENSORS][ELEMENTS_MAX];
} contents;

static void add(contents *to, const char *name, const void *bytes, size_t size)
{
    to->parts[to->count++] = (zip_part){.name = name, .bytes = bytes, .size = size};
}

/* ---- tensors ---- */

/* Values of tensor `number`: multiples of 1/16 around 0, or all of 0.5 and more. */
static float value_of(unsigned number, unsigned element, bool positive)
{
    const float value = (float)((int)((element * 37 + number * 11) % 23) - 11) / 16.0f;
    return positive ? (value < 0 ? -value : value) + 0.5f : value;
}

static void add_floats(contents *to, const char *name, unsigned number, unsigned count, bool positive)
{
    for (unsigned i = 0; i < count; ++i)
        to->tensors[number][i] = value_of(number, i, positive);
    add(to, name, to->tensors[number], count * sizeof(float));
}

/* ---- pickles ---- */

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

static void make_state(pickle *state)
{
    static const struct {
        const char *name, *key;
        unsigned rows, columns;
    } tensors[] = {{"weight", "0", 3, 12}, {"bias", "1", 3, 0},  {"square", "2", 4, 4},
                   {"gain", "3", 12, 0},   {"mean", "4", 12, 0}, {"variance", "5", 12, 0}};
    RAW(state, "\x80\x02"
               "c__torch__\nKernel\n)\x81}(");
    text(state, "training");
    RAW(state, "\x89");
    text(state, "scale");
    RAW(state, "G\x3f\xe0\0\0\0\0\0\0");
    text(state, "sizes");
    RAW(state, "](K\x03K\x04"
               "e");
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) {
        text(state, tensors[i].name);
        tensor(state, "ctorch\nFloatStorage\n", tensors[i].key, tensors[i].rows, tensors[i].columns);
    }
    text(state, "child");
    RAW(state, "c__torch__.parts\nChild\n)\x81}(");
    text(state, "training");
    RAW(state, "\x89");
    text(state, "gain");
    tensor(state, "ctorch\nFloatStorage\n", "6", 12, 0);
    RAW(state, "ubub.");
}

static void make_constants(pickle *constants)
{
    RAW(constants, "\x80\x02(");
    tensor(constants, "ctorch\nDoubleStorage\n", "0", 0, 0);
    tensor(constants, "ctorch\nFloatStorage\n", "1", 12, 0);
    RAW(constants, "t.");
}

/* {"forward": [tensor]}, each with its type. */
static void make_example(pickle *example, unsigned rows)
{
    RAW(example, "\x80\x02"
                 "ctorch.jit._pickle\nrestore_type_tag\n(}");
    text(example, "forward");
    RAW(example, "ctorch.jit._pickle\nrestore_type_tag\n(](");
    tensor(example, "ctorch\nFloatStorage\n", "0", rows, 12);
    RAW(example, "e");
    text(example, "List[Any]");
    RAW(example, "tRs");
    text(example, "Dict[str, List[Any]]");
    RAW(example, "tR.");
}

zip_image script_archive(const void *code, size_t size_bytes, unsigned example_rows)
{
    static const double number = 1.75;
    pickle state = {.size = 0}, constants = {.size = 0}, example = {.size = 0};
    contents all = {.count = 0};
    make_state(&state);
    make_constants(&constants);
    add(&all, "kernel/data.pkl", state.bytes, state.size);
    add(&all, "kernel/code/__torch__.py", code, size_bytes);
    add(&all, "kernel/code/__torch__/parts.py", child_code, sizeof child_code - 1);
    add_floats(&all, "kernel/data/0", 0, 36, false);
    add_floats(&all, "kernel/data/1", 1, 3, false);
    add_floats(&all, "kernel/data/2", 2, 16, false);
    add_floats(&all, "kernel/data/3", 3, 12, false);
    add_floats(&all, "kernel/data/4", 4, 12, false);
    add_floats(&all, "kernel/data/5", 5, 12, true);
    add_floats(&all, "kernel/data/6", 6, 12, false);
    add(&all, "kernel/constants.pkl", constants.bytes, constants.size);
    add(&all, "kernel/constants/0", &number, sizeof number);
    add_floats(&all, "kernel/constants/1", 7, 12, false);
    add(&all, "kernel/version", "3\n", 2);
    if (example_rows) make_example(&example, example_rows);
    if (example_rows) add(&all, "kernel/traced_inputs.pkl", example.bytes, example.size);
    return zip_build(all.parts, all.count, ZIP_PLAIN);
}

kas_status script_decode(const void *code, size_t size_bytes, const kas_artifact_limits *limits,
                         kas_artifact *out)
{
    zip_image archive = script_archive(code, size_bytes, 0);
    *out = (kas_artifact){0};
    if (!archive.bytes) return kas_out_of_memory();
    kas_status status = kas_artifact_decode(archive.bytes, archive.size, "kernel.pt", limits, out);
    zip_image_free(&archive);
    return status;
}
