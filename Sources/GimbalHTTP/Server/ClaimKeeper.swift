import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import ServiceLifecycle
import Synchronization

/// Sees to it that each path of this process belongs to one space, from the start on and when a followed space's patterns
/// grow; and that what lies in the local space moves into the space that comes to own its path.
final class ClaimKeeper: Service {
    /// A space before its claims are settled.
    struct Candidate: Sendable {
        var served: ServedSpace
        var plan: SpacePlan
        /// Nil when it cannot be opened.
        var folder: DataFolder?
    }

    private struct Watch: Sendable {
        var candidate: Candidate
        var session: NodeSession
        var changes: AsyncStream<Void>
        var sink: AsyncStream<Void>.Continuation
    }

    private let host: SpaceHost
    private let candidates: [Candidate]
    private let watches: [Watch]
    private let claims: Mutex<SpaceClaims>
    private let logger: Logger

    /// In a process with one space there is nothing to remember.
    private var isShared: Bool { candidates.count > 1 }

    /// Refuses spaces whose paths overlap as they are configured, as they are stored, or one as the other. What a followed
    /// space learned from its pivot is not the operator's mistake: that becomes a fault of this space alone.
    init(_ candidates: [Candidate], host: SpaceHost, logger: Logger) throws {
        self.host = host
        self.candidates = candidates
        self.logger = logger
        var claims = SpaceClaims()
        for candidate in candidates { try Self.take(try Self.stored(candidate), candidate, &claims) }
        for candidate in candidates { try Self.take(candidate.plan.patterns, candidate, &claims) }
        for candidate in candidates where candidate.plan.leading != nil {
            try Self.take(candidate.served.held.patterns, candidate, &claims)
        }
        self.claims = Mutex(claims)
        watches = candidates.compactMap { candidate in
            guard case .followed(let session) = candidate.served.state else { return nil }
            let (changes, sink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            return Watch(candidate: candidate, session: session, changes: changes, sink: sink)
        }
        for candidate in candidates { publish(candidate) }
    }

    private static func take(_ patterns: [Pattern], _ candidate: Candidate, _ claims: inout SpaceClaims) throws {
        if let overlap = claims.claim(patterns, for: candidate.served.name).first { throw overlap }
    }

    /// What the space owned when its process last ran.
    private static func stored(_ candidate: Candidate) throws -> [Pattern] {
        let id = candidate.served.id
        if let folder = candidate.folder, let stored = try StoredClaims.read(folder), id == nil || stored.space == id?.hex {
            return stored.patterns(of: id)
        }
        return candidate.served.held.patterns
    }

    /// What the host goes by from now on, and what the next start does.
    private func publish(_ candidate: Candidate) {
        let served = candidate.served
        let owned = claims.withLock { $0.patterns[served.name] ?? [] }
        if host[served.name]?.claims != owned { host.update(served.name) { $0.claims = owned } }
        guard isShared, let folder = candidate.folder, let id = served.id else { return }
        do {
            try StoredClaims(space: id, patterns: owned).write(folder)
        } catch {
            logger.error("claims not stored", metadata: ["space": "\(served.name)", "error": "\(error)"])
        }
    }

    // MARK: Spaces that are led

    /// After the operator's patterns are in the space: it owns them, and what lies in the local space comes in.
    func settle(_ candidate: Candidate, _ pivot: PivotSpace) async throws {
        _ = claims.withLock { $0.claim(pivot.records.settings.patterns, for: candidate.served.name) }
        publish(candidate)
        try await takeOver(candidate, pivot)
    }

    private func takeOver(_ candidate: Candidate, _ store: any SpaceStore) async throws {
        let owned = claims.withLock { $0.patterns[candidate.served.name] ?? [] }
        let outcome = try await LocalTakeover(from: host.local, to: store).run(owned)
        guard !outcome.isEmpty else { return }
        logger.notice(
            "the space took over what lay in the local space",
            metadata: [
                "space": "\(candidate.served.name)", "moved": "\(outcome.moved)", "superseded": "\(outcome.superseded)",
                "refused": "\(outcome.refused.values.reduce(0, +))",
            ])
    }

    // MARK: Spaces that are followed

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for watch in self.watches { group.addTask { await self.keep(watch) } }
            }
        }
    }

    private func keep(_ watch: Watch) async {
        let sink = watch.sink
        watch.session.onOpen { [weak self] node in
            self?.begin(watch.candidate, node)
            node.subscribe { paths in if paths.contains(SpaceRecords.settingsPath) { sink.yield() } }
            sink.yield()
        }
        for await _ in watch.changes {
            guard !Task.isCancelled else { return }
            guard let node = watch.session.node else { continue }
            grow(watch.candidate, node)
            await takeOverWhenReady(watch.candidate, node)
        }
    }

    /// Another copy: what the one before it owned is free again.
    private func begin(_ candidate: Candidate, _ node: NodeSpace) {
        // Read at the start already: what cannot be read stopped it there.
        let stored = candidate.folder.flatMap { try? StoredClaims.read($0) }
        let isOther = stored.map { $0.space != node.space.hex } ?? (node.cursor == .start)
        guard isOther else { return }
        claims.withLock { claims in
            claims.release(candidate.served.name)
            _ = claims.claim(candidate.plan.patterns, for: candidate.served.name)
        }
        publish(candidate)
        for other in watches where other.candidate.served !== candidate.served { other.sink.yield() }
    }

    private func grow(_ candidate: Candidate, _ node: NodeSpace) {
        let overlaps = claims.withLock { $0.claim(node.records.settings.patterns, for: candidate.served.name) }
        publish(candidate)
        let detail = overlaps.map(\.description).joined(separator: "; ")
        let fault = overlaps.isEmpty ? nil : NodeFault.local(code: SpaceClaims.Overlap.code, detail: detail)
        guard candidate.served.show(overlap: fault) else { return }
        if let fault {
            logger.error(
                "a space grew into another's paths, which stay where they are",
                metadata: ["space": "\(candidate.served.name)", "code": "\(fault.code)", "detail": "\(detail)"])
        } else {
            logger.notice("spaces do not overlap any more", metadata: ["space": "\(candidate.served.name)"])
        }
    }

    private func takeOverWhenReady(_ candidate: Candidate, _ node: NodeSpace) async {
        do {
            while !node.isReady { try await Task.sleep(for: .milliseconds(200)) }
            try await takeOver(candidate, node)
            // A write that was on its way into the local space when the path changed hands has arrived by then.
            try await Task.sleep(for: .seconds(1))
            try await takeOver(candidate, node)
        } catch is CancellationError {
            return
        } catch {
            logger.error(
                "local values not taken over", metadata: ["space": "\(candidate.served.name)", "error": "\(error)"])
        }
    }
}

extension OperatorRoutes.Held {
    /// What the space says that it holds.
    var patterns: [Pattern] {
        switch self {
        case .pivot(let pivot): pivot.records.settings.patterns
        case .node(let node): node.records.settings.patterns
        case .none: []
        }
    }
}
