/* Which symbols libkasmina offers: everything else is hidden. */
#ifndef KASMINA_EXPORT_H
#define KASMINA_EXPORT_H

#define KAS_API __attribute__((visibility("default")))

#endif
