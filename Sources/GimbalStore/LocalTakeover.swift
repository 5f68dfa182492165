import GimbalCRDT
import GimbalReplication

/// Moves what the local space holds at paths that another space has come to own: each value is written there as an ordinary
/// operation and then deleted here, unless something newer stands there already. Cut off at any point it can be run again.
public struct LocalTakeover: Sendable {
    public struct Outcome: Hashable, Sendable {
        public var moved = 0
        /// The space held something newer: the local value gave way to it, as it would have in a merge.
        public var superseded = 0
        /// Values that the space does not take stay in the local space, where nobody sees them.
        public var refused: [WriteFailure: Int] = [:]

        public var isEmpty: Bool { self == Outcome() }
    }

    private let local: any SpaceStore
    private let space: any SpaceStore
    private static let batch = 256

    public init(from local: any SpaceStore, to space: any SpaceStore) {
        self.local = local
        self.space = space
    }

    public func run(_ patterns: [Pattern]) async throws(StoreError) -> Outcome {
        var outcome = Outcome()
        for pattern in patterns {
            var after: Path?
            while true {
                var entries: [VisibleEntry] = []
                try local.scan(pattern, after: after) { entry in
                    entries.append(entry)
                    return entries.count < Self.batch
                }
                guard let last = entries.last else { break }
                after = last.path
                for entry in entries { try await move(entry, &outcome) }
            }
        }
        return outcome
    }

    private func move(_ entry: VisibleEntry, _ outcome: inout Outcome) async throws(StoreError) {
        // Deletions of registers count too: they are writes like any other.
        let standing = try space.state(entry.path)?.writes.map(\.stamp).max()
        if let standing, standing >= entry.write.stamp {
            outcome.superseded += 1
        } else {
            if case .failure(let failure) = await space.write(.set(entry.path, value: entry.value)) {
                outcome.refused[failure, default: 0] += 1
                return
            }
            outcome.moved += 1
        }
        // What was written here meanwhile is moved the next time.
        guard try local.visible(entry.path)?.write.dot == entry.write.dot else { return }
        _ = await local.write(.delete(entry.path))
    }
}
