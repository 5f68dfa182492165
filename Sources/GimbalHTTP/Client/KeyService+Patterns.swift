import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import NIOCore
import NIOPosix

/// Requests on all keys that match a pattern.
extension KeyService {
    enum ListAnswer {
        case success((list: KeyList, freshness: Freshness))
        case failure(KeyAnswer)
    }

    /// The keys that match, and contain that part if one is given, from every space in which some may.
    func list(
        _ pattern: Pattern, containing part: String? = nil, limit: Int?, after: KeyPlace?, _ preference: ReadPreference
    ) async throws -> ListAnswer {
        let deadline = NIODeadline.now() + readDeadline
        while true {
            let homes = host.homes(of: pattern)
            var freshness = Freshness.pivot
            for home in homes {
                // One that is not ready may be by the time that its pivot has answered.
                guard home.store.isReady || (home.freshness != nil && preference != .local) else {
                    return .failure(Self.notReady(home))
                }
                if await refresh(home, preference, until: deadline) == .local { freshness = .local }
            }
            // What was waited for may have made another space of one of them, and so may what happens during the scan: a list is
            // of spaces that were there from its beginning to its end.
            let isOver = NIODeadline.now() >= deadline
            guard isOver || areServed(homes, pattern) else { continue }
            if let waiting = host.homes(of: pattern).first(where: { !$0.store.isReady }) {
                return .failure(Self.notReady(waiting))
            }
            if freshness == .local, preference == .latest { return .failure(Self.pivotAway) }
            let list = try KeyList(pattern, containing: part, in: host, limit: limit, after: after, ahead)
            guard areServed(homes, pattern) else {
                guard isOver, let changed = homes.first(where: { $0.freshness != nil }) else { continue }
                return .failure(Self.notReady(changed))
            }
            return .success((list, freshness))
        }
    }

    /// Whether these are still the spaces of a pattern, each from the same source.
    private func areServed(_ homes: [SpaceHost.Replicated], _ pattern: Pattern) -> Bool {
        host.homes(of: pattern).elementsEqual(homes) { $0.store === $1.store && $0.freshness === $1.freshness }
    }

    /// Brings the copy up to date, within the deadline.
    func refresh(
        _ home: SpaceHost.Replicated, _ preference: ReadPreference, until deadline: NIODeadline? = nil
    ) async -> Freshness {
        await withCheckedContinuation { continuation in
            let timers = MultiThreadedEventLoopGroup.singleton.any()
            refresh(home, preference, until: deadline, timers) { continuation.resume(returning: $0) }
        }
    }

    /// Deletes what matches and can be seen here, some hundreds at a time.
    func deleteAll(_ pattern: Pattern) async throws -> KeyAnswer {
        for home in host.homes(of: pattern) {
            guard home.store.isReady else { return Self.notReady(home) }
            var after: Path?
            while true {
                var paths: [Path] = []
                try host.scanKeys(pattern, in: home, after: after) { path, _ in
                    paths.append(path)
                    return paths.count < 512
                }
                guard let last = paths.last else { break }
                after = last
                if let failure = await delete(paths, home.store) { return Self.answer(failure) }
            }
        }
        return KeyAnswer(status: 204)
    }

    private func delete(_ paths: [Path], _ store: any SpaceStore) async -> WriteFailure? {
        await withTaskGroup(of: WriteFailure?.self) { group in
            for path in paths {
                group.addTask {
                    // Somebody else may have been faster.
                    guard case .failure(let failure) = await store.write(.delete(path)), failure != .notFound else { return nil }
                    return failure
                }
            }
            return await group.reduce(nil) { $0 ?? $1 }
        }
    }
}
