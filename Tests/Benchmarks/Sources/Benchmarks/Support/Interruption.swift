import Glibc
import Synchronization

/// Turns ^C and SIGTERM into an ordinary failure, so that the servers are stopped and the temporary folder is removed.
enum Interruption {
    private static let isRequested = Atomic<Bool>(false)

    static func watch() {
        // The first load also initialises the global: a signal handler must not be the one to do that.
        _ = isRequested.load(ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in Interruption.isRequested.store(true, ordering: .relaxed) }
        }
    }

    static func check() throws {
        if isRequested.load(ordering: .relaxed) {
            throw BenchmarkFailure("interrupted")
        }
    }
}
