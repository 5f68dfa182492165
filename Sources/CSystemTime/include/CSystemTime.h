#ifndef GIMBAL_SYSTEM_TIME_H
#define GIMBAL_SYSTEM_TIME_H

#include <time.h>

/// Whether `time` of this program is the one below.
int gimbal_time_is_clamped(void);

#endif
