/* A file that says that a folder is in use. The lock goes with the process that holds it, however that ends:
 * a file that is left behind locks nothing. */
#ifndef KAS_BASE_LOCK_FILE_H
#define KAS_BASE_LOCK_FILE_H

#include "base/status.h"

/* Makes the file where there is none, and locks it; *out is for kas_lock_file_release. Another holder gets
 * two seconds to end. KAS_CONFLICT: it did not, and the message names its process; KAS_IO otherwise. Two
 * holders in one process exclude each other too. */
kas_status kas_lock_file_take(const char *path, int *out) KAS_MUST_USE;

void kas_lock_file_release(int lock); /* accepts -1 */

#endif
