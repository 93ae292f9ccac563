/* Which vendors' drivers the ICD loader of this process knows. Failures end the Criterion test; without any
 * OpenCL driver on the machine the test is skipped, loudly. */
#ifndef KAS_TESTS_OPENCL_VENDORS_H
#define KAS_TESTS_OPENCL_VENDORS_H

#include "tests/opencl/vendor.h"

/* The second vendor (vendor.h), and the first one beside it where `both`; what the second is told to be. To
 * be called before anything in the process opens an OpenCL device. */
vendor_control *use_vendors(bool both);
size_t objects_of(const vendor_control *vendor); /* that live, of all kinds */
/* Expects that there are none, or says of which kinds. */
void expect_no_objects(const vendor_control *vendor, const char *after);
/* Removes what use_vendors left on disk. */
void forget_vendors(void);

#endif
