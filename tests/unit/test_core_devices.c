/* backends/core over the host device: what there is to open, memory that is counted, and weights and kernels
 * as they are stored. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/core/backend.h"
#include "tests/unit/core_checks.h"

/* ---- devices ---- */

Test(core_devices, a_device_opened_twice_is_one_object)
{
    kas_device *a, *b;
    ok(kas_device_open("host:0", &a));
    ok(kas_device_open("host:0", &b));
    cr_expect_eq(a, b);
    cr_expect_str_eq(kas_device_id(a), "host:0");
    cr_expect(kas_device_get_limits(a)->host_pointers);
    cr_expect(kas_device_get_limits(a)->immediate);
    kas_device_release(a);
    kas_device_release(b);
    kas_device_release(NULL);
}

Test(core_devices, auto_finds_a_device)
{
    kas_device *device;
    ok(kas_device_open("auto", &device));
    kas_device_release(device);
}

Test(core_devices, unknown_devices_are_refused_with_what_there_is)
{
    static const char *const ids[] = {"",        "host",    "host:",     "host:1",
                                      "host:0x", "host:-1", "quantum:0", "host:99999999999"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; ++i) {
        kas_device *device = (kas_device *)&ids;
        expect(kas_device_open(ids[i], &device), KAS_NOT_FOUND, "host:0");
        cr_expect_null(device);
    }
}

Test(core_devices, listing_opens_nothing_and_has_the_host_last)
{
    const kas_driver *driver = kas_driver_at(kas_driver_count() - 1);
    kas_device_info info;
    size_t count;
    cr_expect_str_eq(kas_driver_name(driver), "host");
    ok(kas_driver_list(driver, &info, 1, &count));
    cr_expect_eq(count, 1);
    cr_expect_str_eq(info.kind, "cpu");
    cr_expect_gt(info.memory_total_bytes, 0);
    cr_expect_null(kas_driver_at(kas_driver_count()));
}

/* ---- buffers ---- */

Test(core_devices, memory_is_counted_to_the_byte)
{
    kas_device *device;
    kas_buffer *a, *b;
    kas_device_info info;
    ok(kas_device_open("host:0", &device));
    ok(kas_buffer_create(device, 1001, NULL, &a));
    ok(kas_buffer_create(device, 7, "b", &b));
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 1008);
    kas_buffer_release(kas_buffer_retain(a));
    kas_buffer_release(a);
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 7);
    cr_expect_eq(kas_buffer_size(b), 7);
    cr_expect_eq(kas_buffer_device(b), device);
    kas_buffer_release(b);
    kas_buffer_release(NULL);
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 0);
    kas_device_release(device);
}

Test(core_devices, a_buffer_keeps_its_device)
{
    kas_device *device;
    kas_buffer *buffer;
    ok(kas_device_open("host:0", &device));
    ok(kas_buffer_create(device, 64, "kept", &buffer));
    kas_device_release(device);
    memset(kas_buffer_host(buffer), 1, 64);
    cr_expect_str_eq(kas_device_id(kas_buffer_device(buffer)), "host:0");
    kas_buffer_release(buffer);
}

Test(core_devices, sizes_that_cannot_be_are_refused_with_the_label)
{
    kas_device *device;
    kas_buffer *buffer;
    ok(kas_device_open("host:0", &device));
    expect(kas_buffer_create(device, 0, "weights of x", &buffer), KAS_INVALID_ARGUMENT, "weights of x");
    cr_expect_null(buffer);
    expect(kas_buffer_create(device, SIZE_MAX, "weights of x", &buffer), KAS_OUT_OF_MEMORY, "weights of x");
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F32, SIZE_MAX / 2, 3), 0);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F32, 3, SIZE_MAX - 1), 0);
    kas_device_release(device);
}

/* ---- weights of 16 bits ---- */

Test(core_devices, weights_of_16_bits_are_words_of_two_in_rows_of_outputs)
{
    enum { INPUTS = 2, OUTPUTS = 3, WORDS = INPUTS * (OUTPUTS + 1) / 2 };
    static const float weight[OUTPUTS * INPUTS] = {1, -2, 0.5f, 0x1p-24f, INFINITY, 65504};
    static const uint32_t half[WORDS] = {0x38003c00, 0x7c00, 0x0001c000, 0x7bff};
    kas_device *device;
    uint32_t out[WORDS];
    ok(kas_device_open("host:0", &device));
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F16, INPUTS, OUTPUTS), sizeof out);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_BF16, INPUTS, OUTPUTS), sizeof out);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F16, SIZE_MAX / 2, 5), 0);
    kas_device_pack(device, KAS_WEIGHT_F16, weight, INPUTS, OUTPUTS, out);
    cr_expect_eq(memcmp(out, half, sizeof half), 0);
    kas_device_release(device);
}

Test(core_devices, values_are_stored_in_16_bits_only_where_each_comes_back)
{
    static const struct {
        float values[3];
        kas_weight_type want;
    } cases[] = {
        {{1, -0.0f, INFINITY}, KAS_WEIGHT_BF16},     {{1, 0x1p-133f, 3e38f}, KAS_WEIGHT_F32},
        {{0x1p-133f, 0x1p127f, 1}, KAS_WEIGHT_BF16}, {{0x1.004p0f, 65504, 0x1.8p-23f}, KAS_WEIGHT_F16},
        {{0x1.004p0f, 65536, 0}, KAS_WEIGHT_F32},    {{0x1.004p0f, 0x1.8p-24f, 0}, KAS_WEIGHT_F32},
        {{0x1.004p0f, NAN, 0}, KAS_WEIGHT_F16},      {{0, 0, 0x1.002p0f}, KAS_WEIGHT_F32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        cr_expect_eq(kas_weight_type_of(cases[i].values, 3), cases[i].want, "case %zu", i);
    cr_expect_eq(kas_weight_type_of(NULL, 0), KAS_WEIGHT_BF16);
}

/* ---- kernels ---- */

/* What defines the kernel's entry: those that are built for several types of weights have one text. */
static void entry_of(kas_kernel kernel, char *out, size_t size)
{
    static const char *const suffixes[] = {"", "_f16", "_bf16"};
    const kas_weight_type type = kas_kernel_weight_type(kernel);
    const char *name = kas_kernel_get_info(kernel)->name;
    int base = (int)(strlen(name) - strlen(suffixes[type]));
    bool stored = type != KAS_WEIGHT_F32 ||
                  (kernel + 1 < KAS_KERNEL_COUNT && kas_kernel_weight_type(kernel + 1) == KAS_WEIGHT_F16);
    snprintf(out, size, stored ? "KERNEL(STORED_NAME(%.*s))" : "KERNEL(%.*s)", base, name);
}

Test(core_devices, every_kernel_has_its_text_in_one_piece)
{
    for (int kernel = 0; kernel < KAS_KERNEL_COUNT; ++kernel) {
        const kas_kernel_info *info = kas_kernel_get_info((kas_kernel)kernel);
        size_t length;
        const char *text = kas_kernel_source((kas_kernel)kernel, &length);
        char entry[64];
        entry_of((kas_kernel)kernel, entry, sizeof entry);
        cr_expect_eq(strlen(text), length);
        cr_expect(strstr(text, entry), "%s is not in its text", entry);
        cr_expect_null(strstr(text, "#include \""), "%s includes a file", info->name);
        cr_expect_geq(info->buffers, 2);
    }
}
