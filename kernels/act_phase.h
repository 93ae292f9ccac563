/* An activation as a phase: v = act(v) for the first `below` items. Each common function has its own loop, so
 * that hosts vectorise it; the function is the same for all of a launch, so no device diverges. */
#ifndef KAS_KERNELS_ACT_PHASE_H
#define KAS_KERNELS_ACT_PHASE_H

#define ACT_PHASE_OF(v, below, act_, kind)                                                                   \
    else if (act_ == kind)                                                                                   \
    {                                                                                                        \
        ITEMS_BELOW(below)                                                                                   \
        {                                                                                                    \
            MY(v)[0] = activate(MY(v)[0], kind, args.act_a, args.act_b);                                     \
        }                                                                                                    \
    }

#define ACT_PHASE(v, below, act_)                                                                            \
    if (act_ == ACT_NONE) {                                                                                  \
    }                                                                                                        \
    ACT_PHASE_OF(v, below, act_, ACT_RELU)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_GELU)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_GELU_TANH)                                                              \
    ACT_PHASE_OF(v, below, act_, ACT_SIGMOID)                                                                \
    ACT_PHASE_OF(v, below, act_, ACT_TANH)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_SILU)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_LEAKY_RELU)                                                             \
    ACT_PHASE_OF(v, below, act_, ACT_ELU)                                                                    \
    ACT_PHASE_OF(v, below, act_, ACT_MISH)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_HARD_SWISH)                                                             \
    ACT_PHASE_OF(v, below, act_, ACT_CLIP)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_EXP)                                                                    \
    ACT_PHASE_OF(v, below, act_, ACT_SQRT)                                                                   \
    ACT_PHASE_OF(v, below, act_, ACT_SQUARE)                                                                 \
    ACT_PHASE_OF(v, below, act_, ACT_AFFINE)                                                                 \
    else                                                                                                     \
    {                                                                                                        \
        ITEMS_BELOW(below)                                                                                   \
        {                                                                                                    \
            MY(v)[0] = activate(MY(v)[0], act_, args.act_a, args.act_b);                                     \
        }                                                                                                    \
    }

#endif
