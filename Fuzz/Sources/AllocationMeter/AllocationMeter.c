#include "AllocationMeter.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Of the sanitizer's runtime: compiler-rt, sanitizer/allocator_interface.h. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *block);

static atomic_bool measuring;
static atomic_llong held;
static atomic_llong most;

static void allocated(const volatile void *block, size_t size) {
    if (!block || !atomic_load_explicit(&measuring, memory_order_relaxed)) return;
    long long now = atomic_fetch_add_explicit(&held, (long long)size, memory_order_relaxed) + (long long)size;
    long long before = atomic_load_explicit(&most, memory_order_relaxed);
    while (now > before && !atomic_compare_exchange_weak_explicit(&most, &before, now, memory_order_relaxed, memory_order_relaxed)) {}
}

static void freed(const volatile void *block) {
    if (!block || !atomic_load_explicit(&measuring, memory_order_relaxed)) return;
    atomic_fetch_sub_explicit(&held, (long long)__sanitizer_get_allocated_size(block), memory_order_relaxed);
}

int gimbal_meter_install(void) { return __sanitizer_install_malloc_and_free_hooks(allocated, freed); }

void gimbal_meter_begin(void) {
    atomic_store(&held, 0);
    atomic_store(&most, 0);
    atomic_store(&measuring, true);
}

size_t gimbal_meter_end(void) {
    atomic_store(&measuring, false);
    return (size_t)atomic_load(&most);
}
