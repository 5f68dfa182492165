import Dispatch
import GimbalCRDT
import GimbalStorage
import GimbalWire
import Synchronization

/// Which members have siblings: counted once, in the background, by who first asks, and kept true by every commit. It keeps
/// their paths alone, so it is as large as there are conflicts.
final class SiblingCensus: Sendable {
    private enum State {
        case unknown
        /// With what commits changed since the count began.
        case counting(touched: Set<Path>, Set<Path>)
        case known(Set<Path>)
    }

    private let state = Mutex(State.unknown)

    /// Takes what a commit left at its paths, after it is on disk.
    func update(_ states: [(path: Path, state: PathState?)]) {
        state.withLock { known in
            switch known {
            case .unknown: return
            case .counting(var touched, var paths):
                known = .unknown
                for (path, state) in states {
                    touched.insert(path)
                    Self.note(path, state, &paths)
                }
                known = .counting(touched: touched, paths)
            case .known(var paths):
                known = .unknown
                for (path, state) in states { Self.note(path, state, &paths) }
                known = .known(paths)
            }
        }
    }

    /// Another state took the whole place: it is counted anew by who asks.
    func forget() { state.withLock { $0 = .unknown } }

    private static func note(_ path: Path, _ state: PathState?, _ paths: inout Set<Path>) {
        if hasSiblings(state) {
            paths.insert(path)
        } else if !paths.isEmpty {
            paths.remove(path)
        }
    }

    private static func hasSiblings(_ state: PathState?) -> Bool {
        if case .member(let member)? = state { member.live.count > 1 } else { false }
    }

    /// Nil until the count is done; the first call begins it.
    func count(in engine: any StorageEngine) -> Int? {
        let (count, begins) = state.withLock { state -> (Int?, Bool) in
            switch state {
            case .known(let paths): return (paths.count, false)
            case .counting: return (nil, false)
            case .unknown:
                state = .counting(touched: [], [])
                return (nil, true)
            }
        }
        if begins { DispatchQueue.global(qos: .utility).async { [self] in take(engine) } }
        return count
    }

    private func take(_ engine: any StorageEngine) {
        // A commit is on disk before it is noted here: what this view lacks will be noted.
        let found = try? Self.scan(engine)
        state.withLock { state in
            guard case .counting(let touched, let paths) = state else { return }
            state = found.map { .known($0.subtracting(touched).union(paths)) } ?? .unknown
        }
    }

    private static func scan(_ engine: any StorageEngine) throws(StoreError) -> Set<Path> {
        var paths: Set<Path> = []
        let view = try storing { () throws(StorageError) in try engine.view() }
        try SpaceLoader(view: view).scan(from: [], until: nil, in: .state, "states") { key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            guard !path.isRegister else { return true }
            if hasSiblings(try StateRecord.decode(value, at: path)) { paths.insert(path) }
            return true
        }
        return paths
    }
}
