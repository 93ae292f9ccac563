/* The pickle machine: what opcodes make, what is shared, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/pickle.h"
#include "tests/unit/graph_fixture.h"

static void end_test(void);

TestSuite(pickle, .fini = end_test);

enum { ARENA_BYTES = 8 << 20 };

static kas_arena arena;

/* A pickle of protocol 4 without PROTO and STOP; text with zeros is given with its size. */
static kas_status read_sized(const char *body, size_t size, kas_pickle_policy policy,
                             const kas_pickle_value **out)
{
    static uint8_t bytes[1 << 20];
    cr_assert(size + 3 <= sizeof bytes);
    memcpy(bytes, "\x80\4", 2);
    memcpy(bytes + 2, body, size);
    bytes[size + 2] = '.';
    kas_arena_finish(&arena);
    kas_arena_init(&arena, ARENA_BYTES);
    return kas_pickle_read((kas_span){bytes, size + 3}, policy, &arena, out);
}

static const kas_pickle_value *value_of(const char *body, size_t size)
{
    const kas_pickle_value *value;
    kas_status status = read_sized(body, size, KAS_PICKLE_OPAQUE, &value);
    cr_assert_null(status, "%s", kas_status_message(status));
    return value;
}
#define VALUE(body) value_of(body, sizeof(body) - 1)

static void expect_refused(const char *body, size_t size, kas_pickle_policy policy, const char *reason,
                           const char *says)
{
    const kas_pickle_value *value;
    kas_status status = read_sized(body, size, policy, &value);
    cr_assert_not_null(status, "it is read, and should be refused: %s", says);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), says), "\"%s\" does not say \"%s\"",
                       kas_status_message(status), says);
    cr_expect_null(value);
    kas_status_free(status);
    kas_arena_finish(&arena);
}
#define REFUSED(body, reason, says) expect_refused(body, sizeof(body) - 1, KAS_PICKLE_OPAQUE, reason, says)
#define REFUSED_CLOSED(body, reason, says)                                                                   \
    expect_refused(body, sizeof(body) - 1, KAS_PICKLE_CLOSED, reason, says)

static void end_test(void)
{
    kas_arena_finish(&arena);
    expect_no_leaks();
}

/* ---- values ---- */

Test(pickle, integers_of_every_width)
{
    cr_expect_eq(VALUE("K\xff")->integer, 255);
    cr_expect_eq(VALUE("M\xff\xff")->integer, 65535);
    cr_expect_eq(VALUE("J\xfe\xff\xff\xff")->integer, -2);
    cr_expect_eq(VALUE("\x8a\x00")->integer, 0);
    cr_expect_eq(VALUE("\x8a\x01\xff")->integer, -1);
    cr_expect_eq(VALUE("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00")->integer, INT64_MAX);
    cr_expect_eq(VALUE("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80")->integer, INT64_MIN);
    cr_expect_eq(VALUE("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00")->kind, KAS_PICKLE_BIG_INT);
    cr_expect_eq(VALUE("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff")->kind, KAS_PICKLE_BIG_INT);
    cr_expect_eq(VALUE("\x8b\x01\x00\x00\x00\x80")->integer, -128);
}

Test(pickle, scalars_and_texts)
{
    cr_expect_eq(VALUE("N")->kind, KAS_PICKLE_NONE);
    cr_expect(VALUE("\x88")->boolean);
    cr_expect_not(VALUE("\x89")->boolean);
    cr_expect_eq(VALUE("G?\xf8\x00\x00\x00\x00\x00\x00")->number, 1.5);
    cr_expect(kas_span_is(VALUE("\x8c\x02hi")->text, "hi"));
    cr_expect(kas_span_is(VALUE("X\x02\x00\x00\x00hi")->text, "hi"));
    cr_expect_eq(VALUE("C\x01\xff")->kind, KAS_PICKLE_BYTES);
}

Test(pickle, containers)
{
    const kas_pickle_value *tuple = VALUE("K\1K\2K\3\x87");
    cr_assert_eq(tuple->kind, KAS_PICKLE_TUPLE);
    cr_expect_eq(tuple->items.count, 3);
    cr_expect_eq(tuple->items.at[2]->integer, 3);
    const kas_pickle_value *list = VALUE("](K\1K\2eK\3a");
    cr_assert_eq(list->kind, KAS_PICKLE_LIST);
    cr_expect_eq(list->items.count, 3);
    cr_expect_eq(VALUE("\x8f(K\1\x90")->kind, KAS_PICKLE_SET);
    cr_expect_eq(VALUE("(K\1t")->items.count, 1);
}

Test(pickle, the_last_of_two_equal_keys_counts)
{
    const kas_pickle_value *dict = VALUE("}(\x8c\1aK\1\x8c\1bK\2\x8c\1aK\3u");
    cr_expect_eq(kas_pickle_get(dict, "a")->integer, 3);
    cr_expect_eq(kas_pickle_get(dict, "b")->integer, 2);
    cr_expect_null(kas_pickle_get(dict, "c"));
    cr_expect_null(kas_pickle_get(NULL, "a"));
    cr_expect_null(kas_pickle_get(kas_pickle_get(dict, "a"), "a"));
}

Test(pickle, what_was_memoised_is_shared)
{
    const kas_pickle_value *tuple = VALUE("]q\5h\5\x86");
    cr_expect_eq(tuple->items.at[0], tuple->items.at[1]);
    tuple = VALUE("]\x94h\0\x86");
    cr_expect_eq(tuple->items.at[0], tuple->items.at[1]);
    tuple = VALUE("]r\x00\x01\x00\x00j\x00\x01\x00\x00\x86");
    cr_expect_eq(tuple->items.at[0], tuple->items.at[1]);
}

Test(pickle, an_ordered_dict_keeps_no_attributes)
{
    const kas_pickle_value *dict = VALUE("ccollections\nOrderedDict\n)R(\x8c\1aK\1u}\x8c\1xK\2sb");
    cr_assert_eq(dict->kind, KAS_PICKLE_DICT);
    cr_expect_eq(dict->items.count, 2);
    cr_expect_null(kas_pickle_get(dict, "x"));
}

/* ---- what is not built ---- */

Test(pickle, an_object_is_only_named)
{
    char text[KAS_PICKLE_DESCRIBED];
    const kas_pickle_value *object = VALUE("cos\nsystem\n\x8c\4evil\x85R}\x8c\1a]sb(K\1K\2u");
    cr_assert_eq(object->kind, KAS_PICKLE_OBJECT);
    cr_expect(kas_span_is(object->object.type->name, "system"));
    cr_expect(object->object.called);
    cr_expect_null(object->object.args);
    cr_expect_null(object->object.state);
    cr_expect_str_eq(kas_pickle_describe(object, text, sizeof text),
                     "an opaque object, what os.system would return");
}

Test(pickle, torchscript_objects_keep_their_attributes)
{
    static const char body[] = "c__torch__.m\nM\n)\x81}\x8c\1aK\7sb";
    const kas_pickle_value *object;
    cr_assert_null(read_sized(body, sizeof body - 1, KAS_PICKLE_CLOSED, &object));
    cr_assert_eq(object->kind, KAS_PICKLE_OBJECT);
    cr_expect_not(object->object.called);
    cr_expect_eq(kas_pickle_get(object->object.state, "a")->integer, 7);
}

Test(pickle, torchscript_allows_no_other_globals)
{
    REFUSED_CLOSED("cos\nsystem\n)R", "unsupported", "os.system");
    REFUSED_CLOSED("cos\nsystem\n)\x81", "unsupported", "os.system");
    REFUSED_CLOSED("c__torch__evil\nM\n)\x81", "unsupported", "__torch__evil.M");
    REFUSED_CLOSED("c__torch__.m\nM\n)R", "unsupported", "__torch__.m.M");
}

Test(pickle, torchscript_cycles_through_objects)
{
    REFUSED_CLOSED("c__torch__.m\nM\n)\x81q\0}\x8c\1ah\0sb", "malformed", "cycle");
}

/* ---- tensors ---- */

#define STORAGE(type, elements) "(\x8c\7storagectorch\n" type "\n\x8c\0010\x8c\3cpu" elements "tQ"
#define V2                      "ctorch._utils\n_rebuild_tensor_v2\n("
#define V3                      "ctorch._utils\n_rebuild_tensor_v3\n("
#define REST                    "\x89}tR"

Test(pickle, a_tensor_is_a_view)
{
    const kas_pickle_value *value = VALUE(V2 STORAGE("HalfStorage", "K\x0c") "K\1K\2K\3\x86K\4K\1\x86" REST);
    cr_assert_eq(value->kind, KAS_PICKLE_TENSOR);
    const kas_pickle_tensor *tensor = value->tensor;
    cr_expect_eq(tensor->dtype, KAS_TORCH_FLOAT16);
    cr_expect_eq(tensor->offset, 1);
    cr_expect_eq(tensor->rank, 2);
    cr_expect_eq(tensor->sizes[1], 3);
    cr_expect_eq(tensor->strides[0], 4);
    cr_expect_eq(tensor->elements, 6);
    cr_expect(kas_span_is(tensor->storage->key, "0"));
}

Test(pickle, a_parameter_is_its_tensor)
{
    const kas_pickle_value *value = VALUE("ctorch._utils\n_rebuild_parameter\n(" V2 STORAGE(
        "FloatStorage", "K\2") "K\0K\2\x85K\1\x85" REST "\x88}tR");
    cr_expect_eq(value->kind, KAS_PICKLE_TENSOR);
}

Test(pickle, a_tensor_whose_type_is_a_global)
{
    const kas_pickle_value *value =
        VALUE(V3 "(\x8c\7storagectorch.storage\nUntypedStorage\n\x8c\0010\x8c\3cpuK\x08tQ"
                 "K\0K\x04\x85K\1\x85\x89}ctorch\nfloat8_e5m2\ntR");
    cr_expect_eq(value->tensor->dtype, KAS_TORCH_FLOAT8_E5M2);
}

Test(pickle, tensors_that_leave_their_storage)
{
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\1K\3K\4\x86K\4K\1\x86" REST, "malformed",
            "beyond the end of its storage");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\x0dK\0\x85K\1\x85" REST, "malformed",
            "offset 13 is beyond");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "J\xff\xff\xff\xffK\2\x85K\1\x85" REST, "malformed",
            "offset is negative");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\0J\xff\xff\xff\xff\x85K\1\x85" REST, "malformed",
            "size is negative");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\0K\2\x85J\xff\xff\xff\xff\x85" REST, "malformed",
            "stride is negative");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\0K\2K\3\x86K\1\x85" REST, "malformed",
            "2 sizes and 1 strides");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\0K\5\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85" REST,
            "malformed", "beyond the end of its storage");
    REFUSED(V2 STORAGE("FloatStorage", "K\x0c") "K\0J\0\0\0\x40J\0\0\0\x40\x86K\0K\0\x86" REST, "limit",
            "size is too large");
    /* Of a wider type than its storage counts. */
    REFUSED(V3 "(\x8c\7storagectorch.storage\nUntypedStorage\n\x8c\0010\x8c\3cpuK\x08tQ"
               "K\0K\3\x85K\1\x85\x89}ctorch\nint32\ntR",
            "malformed", "storage of 2 elements");
}

Test(pickle, storages_that_are_none)
{
    REFUSED(STORAGE("EvilStorage", "K\1"), "unsupported", "torch.EvilStorage");
    REFUSED("(\x8c\7storagecos\nFloatStorage\n\x8c\0010\x8c\3cpuK\1tQ", "unsupported", "os.FloatStorage");
    REFUSED("(\x8c\7storagectorch\nFloatStorage\n\x8c\3../\x8c\3cpuK\1tQ", "malformed", "key \"../\"");
    REFUSED("(\x8c\7storagectorch\nFloatStorage\n\x8c\0\x8c\3cpuK\1tQ", "malformed", "key is empty");
    REFUSED("(\x8c\6modulectorch\nFloatStorage\n\x8c\0010\x8c\3cpuK\1tQ", "malformed", "persistent id");
    REFUSED("K\1Q", "malformed", "persistent id");
    REFUSED(V2 "NK\0K\2\x85K\1\x85" REST, "malformed", "not a storage");
    REFUSED("ctorch._utils\n_rebuild_tensor_v2\n)R", "malformed", "0 arguments");
}

/* ---- broken programs ---- */

Test(pickle, operands_that_are_not_there)
{
    REFUSED("R", "malformed", "underflow");
    REFUSED("(R", "malformed", "a mark is on top");
    REFUSED("K\1u", "malformed", "no mark");
    REFUSED("}(K\1u", "malformed", "odd number");
    REFUSED("}]K\1s", "malformed", "list as a key");
    REFUSED("]K\1K\2s", "malformed", "needs a dict");
    REFUSED("}K\1a", "malformed", "needs a list");
    REFUSED("K\1)R", "malformed", "would call");
    REFUSED("cos\nsystem\nK\1R", "malformed", "not a tuple");
    REFUSED("]}b", "unsupported", "state of");
    REFUSED("h\7", "malformed", "index 7");
    REFUSED("K\1r\x00\x00\x10\x00", "limit", "memo");
    REFUSED("K\1K\2", "malformed", "the stack holds 2");
    REFUSED("", "malformed", "the stack holds 0");
    REFUSED("N.N", "malformed", "trailing");
    REFUSED("K\1\x93", "malformed", "underflow");
    REFUSED("K\1K\2\x93", "malformed", "no string");
}

Test(pickle, literals_that_are_cut_or_wrong)
{
    REFUSED("X\xff\xff\xff\x7fhi", "malformed", "beyond the end");
    REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xffhi", "malformed", "beyond the end");
    REFUSED("\x8b\xfb\xff\xff\xff", "malformed", "negative length -5");
    REFUSED("\x8c\2\xc3\x28", "malformed", "UTF-8");
    REFUSED("\x8c\3\xed\xa0\x80", "malformed", "UTF-8");
    REFUSED("\x8c\2\xc0\x80", "malformed", "UTF-8");
    REFUSED("cos", "malformed", "line does not end");
    REFUSED("\x95\xff\xff\xff\xff\xff\xff\xff\x0f", "malformed", "frame");
    REFUSED("\x80\x01", "unsupported", "protocol 1");
    REFUSED("\xee", "malformed", "0xee");
    REFUSED("I1\n", "unsupported", "INT");
    REFUSED("\x82\1", "unsupported", "EXT1");
}

Test(pickle, one_without_a_beginning_or_an_end)
{
    const kas_pickle_value *value;
    static const struct {
        const char *bytes, *says;
    } cases[] = {{"", "empty"}, {"N.", "PROTO"}, {"\x80\2N", "without STOP"}, {"\x80", "beyond the end"}};
    for (size_t i = 0; i < 4; ++i) {
        kas_arena_init(&arena, ARENA_BYTES);
        const kas_span bytes = {(const uint8_t *)cases[i].bytes, strlen(cases[i].bytes)};
        kas_status status = kas_pickle_read(bytes, KAS_PICKLE_OPAQUE, &arena, &value);
        cr_assert_not_null(status);
        cr_expect_not_null(strstr(kas_status_message(status), cases[i].says), "%s",
                           kas_status_message(status));
        kas_status_free(status);
        kas_arena_finish(&arena);
    }
}

/* ---- nesting ---- */

Test(pickle, containers_that_hold_themselves)
{
    REFUSED("]q\0h\0a", "malformed", "a list holds itself");
    REFUSED("}q\0\x8c\1ah\0s", "malformed", "a dict holds itself");
    REFUSED("]q\0h\0\x85\x85q\1ah\1\x85", "malformed", "the stack holds 2");
    REFUSED("]q\0h\0\x85\x85"
            "a",
            "malformed", "holds itself");
}

static void nest(size_t depth, bool expected)
{
    static char body[2 + KAS_PICKLE_MAX_DEPTH * 2];
    const kas_pickle_value *value;
    memset(body, '\x85', sizeof body);
    body[0] = ')';
    kas_status status = read_sized(body, depth, KAS_PICKLE_OPAQUE, &value);
    cr_expect_eq(status == NULL, expected, "%zu tuples", depth);
    if (status) cr_expect_str_eq(kas_status_reason(status), "limit");
    kas_status_free(status);
}

Test(pickle, nesting_is_limited)
{
    nest(KAS_PICKLE_MAX_DEPTH, true);
    nest(KAS_PICKLE_MAX_DEPTH + 1, false);
}

/* What was seen by a short way counts with the depth that it has by the long one. */
Test(pickle, depth_is_that_of_the_longest_way)
{
    char body[512] = ")";
    size_t size = 1;
    const kas_pickle_value *value;
    memset(body + size, '\x85', 100);
    size += 100;
    memcpy(body + size, "q\0", 2);
    size += 2;
    memcpy(body + size, "h\0", 2);
    size += 2;
    memset(body + size, '\x85', 40);
    size += 40;
    body[size++] = '\x86';
    kas_status status = read_sized(body, size, KAS_PICKLE_OPAQUE, &value);
    cr_assert_not_null(status);
    cr_expect_str_eq(kas_status_reason(status), "limit");
    kas_status_free(status);
}

Test(pickle, a_tree_of_exponentially_many_paths)
{
    char body[512] = ")";
    size_t size = 1;
    for (int i = 0; i < 60; ++i) {
        body[size++] = '2';
        body[size++] = '\x86';
    }
    const kas_pickle_value *value = value_of(body, size);
    cr_expect_eq(value->items.at[0], value->items.at[1]);
}

Test(pickle, a_budget_that_is_spent)
{
    static char body[200000];
    const kas_pickle_value *value;
    memset(body, ']', sizeof body);
    kas_arena_init(&arena, 1 << 16);
    body[0] = '\x80';
    body[1] = 2;
    kas_status status =
        kas_pickle_read((kas_span){(const uint8_t *)body, sizeof body}, KAS_PICKLE_OPAQUE, &arena, &value);
    cr_assert_not_null(status);
    cr_expect_str_eq(kas_status_reason(status), "limit");
    kas_status_free(status);
    kas_arena_finish(&arena);
}
