#include "CSystemTime.h"

// RocksDB asks time() for the age of its tables, and Debian's library, which has its assertions on, ends the process when the
// answer lies before 1970: a clock without a battery that reads midnight in local time, east of Greenwich. Its C interface lets
// nobody give it another clock. A program's own time() is the one that its libraries call, and this one knows no time before 1970.
#if defined(__linux__)

time_t time(time_t *result) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0) now.tv_sec = 0;
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int gimbal_time_is_clamped(void) { return 1; }

#else

int gimbal_time_is_clamped(void) { return 0; }

#endif
