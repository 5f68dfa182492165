import GimbalCRDT
import Synchronization

/// What clients see at recently used paths, bounded in bytes. Reads fill it, commits keep it true.
///
/// A read that raced with a commit must not put back what the commit replaced: it takes a ticket before it reads the
/// storage, and its result is kept only if no commit touched that shard since.
final class StateCache: Sendable {
    struct Ticket {
        fileprivate let version: UInt64
    }

    private struct Shard {
        /// Two generations: what is used moves to the young one, and the old one is dropped whole when the young is full.
        var young: [Path: PathState?] = [:]
        var old: [Path: PathState?] = [:]
        var youngBytes = 0
        var version: UInt64 = 0

        mutating func insert(_ path: Path, _ state: PathState?, budget: Int) {
            let size = StateCache.size(path, state)
            guard size <= budget else { return }
            if youngBytes + size > budget {
                old = young
                young = [:]
                youngBytes = 0
            }
            young[path] = .some(state)
            youngBytes += size
        }
    }

    /// Mutexes cannot be array elements: each lies in an object of its own.
    private final class Box: Sendable {
        let shard = Mutex(Shard())
    }

    private let boxes: [Box]
    private let budgetPerGeneration: Int

    /// - Parameter byteLimit: about what all entries take together; 0 keeps nothing.
    init(byteLimit: Int, shardCount: Int = 32) {
        boxes = (0..<shardCount).map { _ in Box() }
        budgetPerGeneration = byteLimit / shardCount / 2
    }

    private func box(_ path: Path) -> Box { boxes[Int(UInt(bitPattern: path.hashValue) % UInt(boxes.count))] }

    private static func size(_ path: Path, _ state: PathState?) -> Int {
        (state?.writes ?? []).reduce(path.bytes.count + 160) { $0 + 112 + ($1.value?.count ?? 0) }
    }

    enum Lookup {
        case hit(PathState?)
        case miss(Ticket)
    }

    func lookUp(_ path: Path) -> Lookup {
        box(path).shard.withLock { shard in
            if let state = shard.young[path] { return .hit(state) }
            if let state = shard.old.removeValue(forKey: path) {
                shard.insert(path, state, budget: budgetPerGeneration)
                return .hit(state)
            }
            return .miss(Ticket(version: shard.version))
        }
    }

    /// Keeps what a read found, unless a commit came in between.
    func fill(_ path: Path, _ state: PathState?, _ ticket: Ticket) {
        box(path).shard.withLock { shard in
            guard shard.version == ticket.version else { return }
            shard.insert(path, state, budget: budgetPerGeneration)
        }
    }

    /// A commit changed what clients see: later reads find the new state, earlier ones fill nothing.
    ///
    /// - Parameter state: nil where it has to be read again.
    func update(_ path: Path, _ state: PathState??) {
        box(path).shard.withLock { shard in
            shard.version &+= 1
            shard.old.removeValue(forKey: path)
            shard.young.removeValue(forKey: path)
            if let state { shard.insert(path, state, budget: budgetPerGeneration) }
        }
    }

    func removeAll() {
        for box in boxes {
            box.shard.withLock { shard in
                shard = Shard(version: shard.version &+ 1)
            }
        }
    }
}
