/* The scalar functions in float64, from their definitions. */
#ifndef KAS_TESTS_CONFORMANCE_REFERENCE_H
#define KAS_TESTS_CONFORMANCE_REFERENCE_H

enum { REFERENCE_ACTS = 34 };

/* act: as in kernels/act.h, 0 … REFERENCE_ACTS − 1. */
double reference_act(double x, int act, double a, double b);
const char *reference_act_name(int act);

#endif
