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
        var freshness = Freshness.pivot
        for home in host.homes(of: pattern) {
            guard home.store.isReady else { return .failure(Self.notReady(home)) }
            if await refresh(home, preference) == .local { freshness = .local }
        }
        if freshness == .local, preference == .latest { return .failure(Self.pivotAway) }
        return .success((try KeyList(pattern, containing: part, in: host, limit: limit, after: after, ahead), freshness))
    }

    /// Brings the copy up to date, within the deadline.
    func refresh(_ home: SpaceHost.Replicated, _ preference: ReadPreference) async -> Freshness {
        await withCheckedContinuation { continuation in
            refresh(home, preference, MultiThreadedEventLoopGroup.singleton.any()) { continuation.resume(returning: $0) }
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
