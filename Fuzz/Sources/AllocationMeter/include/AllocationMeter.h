#include <stddef.h>

/* How much memory a stretch of code asks for, counted by the hooks that AddressSanitizer calls at every allocation. */

/* Once, before the first measurement. Returns 0 where there is no sanitizer to ask. */
int gimbal_meter_install(void);

/* Begins a measurement. */
void gimbal_meter_begin(void);

/* Ends it: the most bytes that were held at once beyond those of its beginning. */
size_t gimbal_meter_end(void);
