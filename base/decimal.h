/* Numbers with a decimal point, whatever the program that we are a part of has told setlocale. Any thread. */
#ifndef KAS_BASE_DECIMAL_H
#define KAS_BASE_DECIMAL_H

enum { KAS_REAL_SIZE = 32 }; /* any double with 17 digits, and a NUL */

double kas_parse_real(const char *text, char **end);         /* as strtod */
void kas_format_real(double value, char out[KAS_REAL_SIZE]); /* as %.17g: reads back as the same */

#endif
