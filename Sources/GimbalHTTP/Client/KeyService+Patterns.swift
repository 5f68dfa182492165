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

    /// As many keys of a list go in one commit: a delta holds as many operations.
    private static let deletedAtOnce = Limits.hardMaximumOperationsPerDelta

    /// Deletes what matches and can be seen here now. Each commit is on disk before the next begins, others write between
    /// them, and whoever subscribed is told once, when all of it is gone.
    func deleteAll(_ pattern: Pattern) async throws -> KeyAnswer {
        let homes = host.homes(of: pattern)
        for home in homes { guard home.store.isReady else { return Self.notReady(home) } }
        let hold = hub.holdBack(pattern)
        defer { hub.release(hold) }
        for home in homes {
            var walk = try home.store.walk(pattern)
            while true {
                let (paths, rest) = try await host.next(walk, in: home, limit: Self.deletedAtOnce)
                guard !paths.isEmpty else { break }
                walk = rest
                // One commit of one deletion at a time: many of them keep no other writer waiting.
                let result = await deletions.pass { await home.store.write(.deleteAll(paths)) }
                // Somebody else may have been faster.
                if case .failure(let failure) = result, failure != .notFound { return Self.answer(failure) }
            }
        }
        return KeyAnswer(status: 204)
    }
}
