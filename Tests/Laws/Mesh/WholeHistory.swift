import GimbalCRDT

/// One operation of a mesh, with all that its writer knew. Nothing is ever forgotten here.
struct MeshEvent {
    var path: Path
    var effect: Effect
    /// Numbers of the events that the writer had when it wrote.
    var known: NumberSet
}

/// The naive model: what a path holds is defined over all events that a replica knows, from the definitions of the literature and
/// from nothing that the merge keeps.
struct WholeHistory {
    var events: [MeshEvent] = []

    func state(of path: Path, knowing known: NumberSet) -> PathState? {
        let numbers = events.indices.filter { known.contains($0) && events[$0].path == path }
        if path.isRegister {
            // Last writer wins: the maximum of all writes.
            let writes = numbers.compactMap { if case .write(let write) = events[$0].effect { write } else { nil } }
            return writes.max { Self.order($0).lexicographicallyPrecedes(Self.order($1)) }.map { .register(Register($0)) }
        }
        // Add wins: an element is in the set if some put of it was seen by no other operation on it.
        let live = numbers.compactMap { number -> Write? in
            guard case .put(let write, _) = events[number].effect else { return nil }
            return numbers.contains { $0 != number && events[$0].known.contains(number) } ? nil : write
        }
        return live.isEmpty ? nil : .member(Member(live: live))
    }

    /// Effective stamp, replica, sequence, operation hash: written out, so that it shares nothing with `Write.precedes`.
    private static func order(_ write: Write) -> [UInt64] {
        let author = write.dot.replica.author.words
        let hash = write.operationHash.words
        return [
            write.stamp.rawValue, author.first, author.second, author.third, author.fourth, write.dot.replica.incarnation,
            write.dot.sequence, hash.first, hash.second, hash.third, hash.fourth,
        ]
    }
}
