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
