/* A state dict: tensors by name. What torch.compile wrapped has "_orig_mod." before every name; names here
 * are without it. One thread at a time. */
#ifndef KAS_ARTIFACT_TORCHSAVE_STATE_H
#define KAS_ARTIFACT_TORCHSAVE_STATE_H

#include "engine/artifact/torch_archive.h"
#include "engine/graph/graph.h"

typedef struct kas_torch_state {
    kas_torch_archive *archive;
    const kas_pickle_value *dict;
    bool prefixed;
} kas_torch_state;

/* The state dict of what torch.save wrote: `root` itself, or its member "state_dict". */
kas_status kas_torch_state_find(kas_torch_archive *archive, const kas_pickle_value *root,
                                kas_torch_state *out) KAS_MUST_USE;

bool kas_torch_state_has(const kas_torch_state *state, const char *name);

/* Refuses any name but these, NULL at their end. `whole`: what they are together, for the message. */
kas_status kas_torch_state_expect(const kas_torch_state *state, const char *const *names,
                                  const char *whole) KAS_MUST_USE;

/* The values of a floating-point tensor of this shape; `meaning` says what the shape should be by:
 * "[hidden_size, input_size]". The caller's, to be freed with kas_free. */
kas_status kas_torch_state_floats(const kas_torch_state *state, const char *name, const kas_shape *shape,
                                  const char *meaning, float **out) KAS_MUST_USE;
/* The shape of a tensor. */
kas_status kas_torch_state_shape(const kas_torch_state *state, const char *name, kas_shape *out) KAS_MUST_USE;

#endif
