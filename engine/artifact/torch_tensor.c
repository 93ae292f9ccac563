/* Values of tensors: runs along the last dimension, wherever strides put them, to one contiguous block. */
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torch_archive.h"

enum { BLOCK = 256 /* elements */ };

typedef struct run {
    kas_torch_dtype dtype;
    bool big_endian;
    const uint8_t *from;
    size_t count, step_bytes;
} run;

typedef void write_run(const run *from, void *to);

/* ---- one run ---- */

/* `count` elements from `first` on, one behind the other and little-endian. */
static void gather(const run *from, size_t first, size_t count, uint8_t *to)
{
    const size_t size = kas_torch_dtype_bytes(from->dtype);
    for (size_t i = 0; i < count; ++i) {
        const uint8_t *at = from->from + (first + i) * from->step_bytes;
        for (size_t k = 0; k < size; ++k)
            to[i * size + k] = at[from->big_endian ? size - 1 - k : k];
    }
}

static void write_floats(const run *from, void *to)
{
    const kas_element element = kas_torch_dtype_element(from->dtype);
    uint8_t block[BLOCK * sizeof(uint64_t)];
    if (from->step_bytes == kas_element_bytes(element) && !from->big_endian) {
        kas_elements_to_floats(element, from->from, from->count, to);
        return;
    }
    for (size_t i = 0; i < from->count; i += BLOCK) {
        const size_t count = from->count - i < BLOCK ? from->count - i : BLOCK;
        gather(from, i, count, block);
        kas_elements_to_floats(element, block, count, (float *)to + i);
    }
}

static uint64_t bits_of(const run *from, size_t index)
{
    uint8_t bytes[sizeof(uint64_t)] = {0};
    uint64_t bits;
    gather(from, index, 1, bytes);
    memcpy(&bits, bytes, sizeof bits);
    return le64toh(bits);
}

static int64_t integer_of(kas_torch_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case KAS_TORCH_INT32:
        return (int32_t)(uint32_t)bits;
    case KAS_TORCH_INT16:
        return (int16_t)(uint16_t)bits;
    case KAS_TORCH_INT8:
        return (int8_t)(uint8_t)bits;
    case KAS_TORCH_BOOL:
        return bits != 0;
    default:
        return (int64_t)bits;
    }
}

static void write_integers(const run *from, void *to)
{
    int64_t *values = to;
    for (size_t i = 0; i < from->count; ++i)
        values[i] = integer_of(from->dtype, bits_of(from, i));
}

/* What float32 holds goes by it. */
static double double_of(const run *from, size_t index)
{
    const uint64_t bits = bits_of(from, index);
    double value;
    float narrow;
    if (from->dtype == KAS_TORCH_FLOAT64) {
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (from->dtype == KAS_TORCH_UINT64) return (double)bits;
    if (!kas_torch_dtype_is_float(from->dtype)) return (double)integer_of(from->dtype, bits);
    write_floats(
        &(run){from->dtype, from->big_endian, from->from + index * from->step_bytes, 1, from->step_bytes},
        &narrow);
    return (double)narrow;
}

static void write_doubles(const run *from, void *to)
{
    double *values = to;
    for (size_t i = 0; i < from->count; ++i)
        values[i] = double_of(from, i);
}

/* ---- all runs ---- */

/* The index of the next run, the last dimension apart; the offset goes along. */
static void next_run(const kas_pickle_tensor *tensor, uint64_t *index, uint64_t *offset)
{
    for (int i = tensor->rank - 2; i >= 0; --i) {
        *offset += tensor->strides[i];
        if (++index[i] < tensor->sizes[i]) return;
        *offset -= tensor->strides[i] * tensor->sizes[i];
        index[i] = 0;
    }
}

static void write_all(const kas_pickle_tensor *tensor, bool big_endian, const uint8_t *storage,
                      write_run *write, uint8_t *to, size_t element_bytes)
{
    const size_t size = kas_torch_dtype_bytes(tensor->dtype);
    const size_t count = tensor->rank ? (size_t)tensor->sizes[tensor->rank - 1] : 1;
    const uint64_t stride = tensor->rank ? tensor->strides[tensor->rank - 1] : 1;
    uint64_t index[KAS_PICKLE_MAX_RANK] = {0}, offset = tensor->offset;
    run from = {.dtype = tensor->dtype,
                .big_endian = big_endian,
                .count = count,
                .step_bytes = (size_t)stride * size};
    for (uint64_t done = 0; done < tensor->elements; done += count) {
        from.from = storage + (size_t)offset * size;
        write(&from, to + (size_t)done * element_bytes);
        next_run(tensor, index, &offset);
    }
}

/* ---- the storage ---- */

static kas_status read_storage(kas_torch_archive *archive, const char *folder,
                               const kas_pickle_storage *storage, const uint8_t **out)
{
    char name[KAS_ZIP_MAX_NAME_BYTES];
    kas_span bytes;
    const int length = snprintf(name, sizeof name, "%s%.*s", folder, (int)storage->key.size,
                                (const char *)storage->key.data);
    const uint64_t needed =
        storage->elements * kas_torch_dtype_bytes(storage->dtype); /* the pickle's reader checked it */
    if (storage->key.size >= sizeof name || (size_t)length >= sizeof name)
        return kas_refuse(KAS_REASON_LIMIT, "a storage's key of %zu bytes", storage->key.size);
    KAS_TRY(kas_annotate(
        kas_torch_archive_read(archive, (kas_span){(const uint8_t *)name, (size_t)length}, &bytes),
        "storage"));
    *out = bytes.data;
    if (bytes.size == needed) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "the storage %s has %zu bytes, and needs %llu for its size of %llu elements of %s",
                      name, bytes.size, (unsigned long long)needed, (unsigned long long)storage->elements,
                      kas_torch_dtype_name(storage->dtype));
}

static kas_status read_values(kas_torch_archive *archive, const char *folder, const kas_pickle_tensor *tensor,
                              write_run *write, size_t element_bytes, void **out)
{
    const uint8_t *storage;
    const size_t count = tensor->elements ? (size_t)tensor->elements : 1;
    *out = NULL;
    KAS_TRY(read_storage(archive, folder, tensor->storage, &storage));
    KAS_TRY(kas_arena_charge(archive->zip.arena, count * element_bytes));
    *out = kas_alloc_array(count, element_bytes);
    if (!*out) return kas_out_of_memory();
    write_all(tensor, archive->big_endian, storage, write, *out, element_bytes);
    return NULL;
}

/* ---- by type ---- */

static kas_status check_number(const kas_pickle_tensor *tensor)
{
    if (kas_torch_dtype_is_number(tensor->dtype)) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED,
                      "its type is %s: complex and quantised tensors have no value in float32",
                      kas_torch_dtype_name(tensor->dtype));
}

static kas_status check_finite(const float *values, size_t count)
{
    const size_t wrong = kas_first_not_finite(values, count);
    if (wrong == count) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "value %zu is %s in float32; weights must be finite", wrong,
                      isnan(values[wrong]) ? "NaN" : "infinite");
}

kas_status kas_torch_tensor_floats(kas_torch_archive *archive, const char *folder,
                                   const kas_pickle_tensor *tensor, float **out)
{
    void *values;
    *out = NULL;
    KAS_TRY(check_number(tensor));
    KAS_TRY(read_values(archive, folder, tensor, write_floats, sizeof **out, &values));
    kas_status status = check_finite(values, (size_t)tensor->elements);
    if (status)
        kas_free(values);
    else
        *out = values;
    return status;
}

kas_status kas_torch_tensor_doubles(kas_torch_archive *archive, const char *folder,
                                    const kas_pickle_tensor *tensor, double **out)
{
    void *values;
    *out = NULL;
    KAS_TRY(check_number(tensor));
    KAS_TRY(read_values(archive, folder, tensor, write_doubles, sizeof **out, &values));
    *out = values;
    return NULL;
}

kas_status kas_torch_tensor_integers(kas_torch_archive *archive, const char *folder,
                                     const kas_pickle_tensor *tensor, int64_t **out)
{
    void *values;
    *out = NULL;
    if (!kas_torch_dtype_is_number(tensor->dtype) || kas_torch_dtype_is_float(tensor->dtype))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "its type is %s; integers are needed",
                          kas_torch_dtype_name(tensor->dtype));
    KAS_TRY(read_values(archive, folder, tensor, write_integers, sizeof **out, &values));
    *out = values;
    return NULL;
}
