/* Functions of two numbers, by their PAIR_… number in kernels/args.h. Needs kernels/scalar.h. */
#ifndef KAS_KERNELS_PAIR_H
#define KAS_KERNELS_PAIR_H

#define IS_NAN(x) ((BITS(x) & 0x7fffffffu) > 0x7f800000u)

/* The greater and the lesser; NaN when either is. */
FN float greater_(float x, float y)
{
    return x > y || IS_NAN(x) ? x : y;
}

FN float lesser_(float x, float y)
{
    return x < y || IS_NAN(x) ? x : y;
}

/* PAIR_EQUAL … PAIR_XOR: 1 or 0 */
FN float compare_(float x, float y, int op)
{
    bool holds = false;
    if (op == PAIR_EQUAL) holds = x == y;
    if (op == PAIR_GREATER) holds = x > y;
    if (op == PAIR_GREATER_EQUAL) holds = x >= y;
    if (op == PAIR_LESS) holds = x < y;
    if (op == PAIR_LESS_EQUAL) holds = x <= y;
    if (op == PAIR_AND) holds = x != 0.0f && y != 0.0f;
    if (op == PAIR_OR) holds = x != 0.0f || y != 0.0f;
    if (op == PAIR_XOR) holds = (x != 0.0f) != (y != 0.0f);
    return holds ? 1.0f : 0.0f;
}

FN float pair_(float x, float y, int op)
{
    if (op == PAIR_ADD) return x + y;
    if (op == PAIR_SUB) return x - y;
    if (op == PAIR_MUL) return x * y;
    if (op == PAIR_DIV) return x / y;
    if (op == PAIR_POW) return pow_(x, y);
    if (op == PAIR_MIN) return lesser_(x, y);
    if (op == PAIR_MAX) return greater_(x, y);
    return compare_(x, y, op);
}

#endif
