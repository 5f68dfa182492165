import Foundation

/// What a thread of its own waits for: a signal, or a time to pass by a clock that nobody sets. `DispatchSemaphore` counts by the
/// wall clock on Linux: one that goes back an hour would stop whoever waits for an hour.
///
/// `@unchecked Sendable`: what the pointers lead to is the system's, for any thread; the flag is read and written under the lock.
final class WakeUp: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isSignalled = false

    init() {
        pthread_mutex_init(lock, nil)
        #if canImport(Darwin)
            pthread_cond_init(condition, nil)
        #else
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(lock)
        condition.deallocate()
        lock.deallocate()
    }

    /// Ends the wait that is under way, or else the next one.
    func signal() {
        pthread_mutex_lock(lock)
        isSignalled = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(lock)
    }

    /// Waits for a signal, and takes it, but no longer than this.
    func wait(milliseconds: UInt64) {
        let nanoseconds = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let now = SystemClock.steadyNanoseconds()
        let end = nanoseconds.overflow ? UInt64.max : now.addingReportingOverflow(nanoseconds.partialValue).partialValue
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while !isSignalled {
            let now = SystemClock.steadyNanoseconds()
            guard now < end else { return }
            #if canImport(Darwin)
                var rest = Self.time(end - now)
                pthread_cond_timedwait_relative_np(condition, lock, &rest)
            #else
                var end = Self.time(end)
                pthread_cond_timedwait(condition, lock, &end)
            #endif
        }
        isSignalled = false
    }

    private static func time(_ nanoseconds: UInt64) -> timespec {
        timespec(tv_sec: Int(clamping: nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
