import GimbalStore
import GimbalWire
import Synchronization

/// Holds reads of a node back, within their deadlines, until it is known which space the node serves.
final class FirstContact: FreshnessSource {
    private let waiting = Mutex<[@Sendable (Freshness) -> Void]?>([])

    /// Every reader looks again at what is served by then: nothing is said of how fresh that is.
    func refresh(completion: @escaping @Sendable (Freshness) -> Void) {
        let isOver = waiting.withLock { waiting in
            waiting?.append(completion)
            return waiting == nil
        }
        if isOver { completion(.local) }
    }

    /// What is served is settled.
    func end() {
        let readers = waiting.withLock { $0.take() }
        for reader in readers ?? [] { reader(.local) }
    }
}

/// The copy of a space whose pivot is not the configured one: nobody can say how fresh it is.
final class OldCopy: FreshnessSource {
    func refresh(completion: @escaping @Sendable (Freshness) -> Void) { completion(.local) }
}
