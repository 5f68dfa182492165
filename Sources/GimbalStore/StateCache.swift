import GimbalCRDT
import Synchronization

/// What clients see at recently used paths, bounded in bytes. Reads fill it, commits keep it true.
///
/// A read that raced with a commit must not put back what the commit replaced: it takes a ticket before it reads the
/// storage, and its result is kept only if no commit touched that shard since.
package final class StateCache: Sendable {
    package struct Ticket {
        fileprivate let version: UInt64
    }

    /// One part of the cache: a table into slots, and a hand that goes round the slots and takes those that nobody has
    /// asked for since it last came by (CLOCK: F. J. Corbató, "A Paging Experiment with the Multics System", 1968).
    private struct Shard {
        struct Slot {
            var path: Path
            var state: PathState?
            var bytes: Int
            var isUsed: Bool
        }

        var index: [Path: Int] = [:]
        var slots: [Slot?] = []
        var free: [Int] = []
        var hand = 0
        var bytes = 0
        var version: UInt64 = 0

        mutating func find(_ path: Path) -> PathState?? {
            guard let place = index[path] else { return nil }
            slots[place]?.isUsed = true
            return .some(slots[place]?.state)
        }

        mutating func insert(_ path: Path, _ state: PathState?, budget: Int) {
            let size = StateCache.size(path, state)
            if let place = index[path] {
                bytes += size - (slots[place]?.bytes ?? 0)
                slots[place] = Slot(path: path, state: state, bytes: size, isUsed: true)
            } else if size <= budget {
                bytes += size
                let slot = Slot(path: path, state: state, bytes: size, isUsed: false)
                if let place = free.popLast() {
                    slots[place] = slot
                    index[path] = place
                } else {
                    index[path] = slots.count
                    slots.append(slot)
                }
            }
            while bytes > budget { evict() }
        }

        mutating func remove(_ path: Path) {
            guard let place = index.removeValue(forKey: path) else { return }
            bytes -= slots[place]?.bytes ?? 0
            slots[place] = nil
            free.append(place)
        }

        private mutating func evict() {
            hand = hand + 1 < slots.count ? hand + 1 : 0
            guard let slot = slots[hand] else { return }
            if slot.isUsed { slots[hand]?.isUsed = false } else { remove(slot.path) }
        }
    }

    /// Mutexes cannot be array elements: each lies in an object of its own.
    private final class Box: Sendable {
        let shard = Mutex(Shard())
    }

    private let boxes: [Box]
    private let budgetPerShard: Int

    /// - Parameter byteLimit: about what all entries take together; 0 keeps nothing.
    package init(byteLimit: Int, shardCount: Int = 32) {
        boxes = (0..<shardCount).map { _ in Box() }
        budgetPerShard = byteLimit / shardCount
    }

    private func box(_ path: Path) -> Box { boxes[Int(UInt(bitPattern: path.hashValue) % UInt(boxes.count))] }

    private static func size(_ path: Path, _ state: PathState?) -> Int {
        // A name's array, an entry of the table, and for each write its fields and its value's array.
        (state?.writes ?? []).reduce(path.bytes.count + 96) { $0 + 144 + ($1.value?.count ?? 0) }
    }

    package enum Lookup {
        case hit(PathState?)
        case miss(Ticket)
    }

    package func lookUp(_ path: Path) -> Lookup {
        box(path).shard.withLock { shard in
            if let state = shard.find(path) { return .hit(state) }
            return .miss(Ticket(version: shard.version))
        }
    }

    /// Keeps what a read found, unless a commit came in between.
    package func fill(_ path: Path, _ state: PathState?, _ ticket: Ticket) {
        box(path).shard.withLock { shard in
            guard shard.version == ticket.version else { return }
            shard.insert(path, state, budget: budgetPerShard)
        }
    }

    /// A commit changed what clients see: later reads find the new state, earlier ones fill nothing.
    ///
    /// - Parameter state: nil where it has to be read again.
    package func update(_ path: Path, _ state: PathState??) {
        box(path).shard.withLock { shard in
            shard.version &+= 1
            if let state { shard.insert(path, state, budget: budgetPerShard) } else { shard.remove(path) }
        }
    }

    /// Everything may be different: later reads find the new states, earlier ones fill nothing.
    package func removeAll() {
        for box in boxes {
            box.shard.withLock { shard in
                let version = shard.version &+ 1
                shard = Shard()
                shard.version = version
            }
        }
    }
}
