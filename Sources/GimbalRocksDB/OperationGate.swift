import GimbalStorage
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lets any number of operations through at once, until it is shut; after that nobody is inside and nobody enters until it is
/// opened again.
///
/// Two atomic additions an operation: readers share no lock.
final class OperationGate: Sendable {
    private static let shutBit: UInt64 = 1 << 63

    /// The number of operations inside, and `shutBit`.
    private let state = Atomic<UInt64>(0)
    /// What those learn who find it shut.
    private let reason = Mutex(StorageError.closed)

    func enter() throws(StorageError) {
        if state.wrappingAdd(1, ordering: .acquiring).newValue & Self.shutBit != 0 {
            leave()
            throw reason.withLock { $0 }
        }
    }

    func leave() {
        state.wrappingSubtract(1, ordering: .releasing)
    }

    /// Returns when everything that was inside has left. From inside it would wait for itself. May be called again while it is
    /// shut, with another reason.
    func shut(_ reason: StorageError) {
        self.reason.withLock { $0 = reason }
        state.bitwiseOr(Self.shutBit, ordering: .acquiringAndReleasing)
        while state.load(ordering: .acquiring) != Self.shutBit { usleep(100) }
    }

    func open() { state.bitwiseAnd(~Self.shutBit, ordering: .acquiringAndReleasing) }
}
