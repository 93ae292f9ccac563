/* What the parts of the test double share. */
#ifndef CUDA_DOUBLE_STATE_H
#define CUDA_DOUBLE_STATE_H

#include <pthread.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "tests/cuda/double.h"

#define EXPORT __attribute__((visibility("default")))
/* Every entry point is defined as the backend declares it. */
#define CUDA_DOUBLE_PROTOTYPE(member, symbol, parameters) EXPORT cuda_code symbol parameters;
KAS_CUDA_SYMBOLS(CUDA_DOUBLE_PROTOTYPE)
#undef CUDA_DOUBLE_PROTOTYPE

enum { MAX_PARAMETERS = KAS_KERNEL_MAX_BUFFERS + 1 };
#define ADDRESS_TAG 0x4000000000000000ull

typedef void (*host_kernel)(int group_x, int group_y, void *const *buffers, const void *args);

struct cuda_function_object {
    char name[64];
    host_kernel run;
    unsigned parameter_count, block_x;
    size_t parameter_bytes[MAX_PARAMETERS];
};

typedef struct kernel_call {
    cuda_function function;
    unsigned grid_x, grid_y;
    unsigned char parameters[MAX_PARAMETERS][KAS_KERNEL_MAX_ARGS];
} kernel_call;

typedef struct operation {
    enum { COPY_IN, COPY_OUT, FILL, KERNEL, RECORD, ALLOCATE, FREE, CALL } kind;
    bool hangs;
    cuda_address address;
    const void *from;
    void *to;
    size_t bytes;
    unsigned word;
    cuda_event event;
    kernel_call call;
    cuda_code (*function)(void *data); /* CALL: of `to` */
    struct operation *next;
} operation;

struct cuda_stream_object {
    operation *first, **last;
    cuda_stream next; /* of all that live */
};
struct cuda_event_object {
    cuda_stream stream;
    bool recorded, done;
};

typedef struct double_state {
    pthread_mutex_t lock; /* guards all below and every object of the double; each entry point holds it */
    double_counts counts;
    size_t memory_limit;
    bool initialised, no_pools;
    cuda_code sticky;
    cuda_stream streams; /* that live */
    const char *fault_symbol;
    unsigned fault_in, hang_in, refused_modules;
    cuda_code fault_code;
    bool fault_sticky, fired, released;
} double_state;

extern double_state double_world;

/* At the start of each entry point: takes the lock and tells whether the call may go on. leave gives the lock
 * back and passes the outcome on. */
cuda_code double_enter(const char *symbol, bool needs_context);
cuda_code double_leave(cuda_code code);
/* Whether the launch that is now made is the one that hangs. */
bool double_hangs_now(void);
/* Makes an error of running work sticky, as the driver does. */
cuda_code double_stick(cuda_code code);

#define ENTER(needs_context)                                                                                 \
    do {                                                                                                     \
        cuda_code entered_ = double_enter(__func__, (needs_context));                                        \
        if (entered_ != CUDA_SUCCESS) return double_leave(entered_);                                         \
    } while (0)
#define LEAVE(code) return double_leave(code)

/* Memory: the host address of [address, address + bytes), NULL where that is not within one allocation. */
void *double_host(cuda_address address, size_t bytes);
cuda_code double_use_memory(cuda_address address);
cuda_code double_release_memory(cuda_address address);

/* Kernels: reads and checks what a launch is given. */
cuda_code double_read_call(cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                           unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                           void **parameters, void **extra, kernel_call *out);
cuda_code double_run_call(const kernel_call *call);

/* Streams: appends a copy. */
cuda_code double_enqueue(cuda_stream stream, const operation *what);

#endif
