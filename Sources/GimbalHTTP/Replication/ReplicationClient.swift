import AsyncHTTPClient
import GimbalCRDT
import GimbalClient
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Keeps one node of a space in touch with its pivot: joins, follows the log, passes on what the node's core says is to be
/// pushed, and begins again whenever something fails.
///
/// What becomes of data the core decides alone. Here is decided when the pivot is asked again (`Pauses`), that a log which does
/// not go back far enough is replaced by a snapshot, and what an operator is shown of the connection: a fault that came of
/// the opening goes when a stream is open; one that came of the stream goes with a page that is right, or when the pivot
/// signs that there is none to come.
final class ReplicationClient: Service {
    private let node: NodeSpace
    private let connection: PivotConnection
    private let logger: Logger
    private let isInDoubt = Mutex(false)
    private let following = Mutex<Task<Ending, Never>?>(nil)
    private let reachableAt: String?
    /// The wait after a failure, which a trigger ends.
    private let pause = Mutex<Task<Void, Never>?>(nil)
    private let lastTrigger = Mutex(NIODeadline.uptimeNanoseconds(0))
    private let pushes: PushSender
    /// Whether the fault that is shown came of a stream's pages.
    private let isOfPages = Mutex(false)

    /// How one life of the stream ended.
    private struct Ending {
        var wasOpen = false
        /// What the other side asked for.
        var retryAfter: Duration?
    }

    init(node: NodeSpace, connection: PivotConnection, reachableAt: String?, logger: Logger) {
        self.node = node
        self.connection = connection
        self.reachableAt = reachableAt
        self.logger = logger
        pushes = PushSender(node, connection, logger)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.obey() }
                await self.keepFollowing()
                group.cancelAll()
            }
        }
    }

    // MARK: Commands of the node

    private func obey() async {
        for await command in node.commands {
            guard !Task.isCancelled else { return }
            switch command {
            case .push(let request, let number): Task { await pushes.send(request, number) }
            case .follow(let withOwnBodies):
                isInDoubt.withLock { $0 = withOwnBodies }
                following.withLock { $0?.cancel() }
            case .investigate: Task { await investigate() }
            case .fault(let fault):
                logger.error("replication fault", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
                pushes.unwanted()
            case .faultCleared:
                logger.notice("replication works again")
                pushes.wanted()
            }
        }
    }

    private func investigate() async {
        var backoff = Backoff(Pauses.asking)
        while !Task.isCancelled {
            if let answer = try? await connection.place(timeout: Pauses.placeAnew), answer.verdict == .current {
                return node.deliver(.investigate(until: answer.place))
            }
            try? await Task.sleep(for: backoff.next())
        }
    }

    // MARK: Following

    private func keepFollowing() async {
        var backoff = Backoff(Pauses.following)
        while !Task.isCancelled {
            let attempt = Task { await self.follow() }
            following.withLock { $0 = attempt }
            let ending = await withTaskCancellationHandler {
                await attempt.value
            } onCancel: {
                attempt.cancel()
            }
            // A stream whose pages are refused was no success, however well it opens.
            if case .badPage = node.fetchFault {} else if ending.wasOpen { backoff = Backoff(Pauses.following) }
            guard !Task.isCancelled else { return }
            let delay = max(backoff.next(), ending.retryAfter ?? .zero)
            let pause = Task<Void, Never> { _ = try? await Task.sleep(for: delay) }
            self.pause.withLock { $0 = pause }
            await withTaskCancellationHandler {
                await pause.value
            } onCancel: {
                pause.cancel()
            }
        }
    }

    /// Somebody says that the pivot has something: anybody may, so it only makes this node ask, at most once a second.
    func pull() {
        let now = NIODeadline.now()
        let isNew = lastTrigger.withLock { last in
            guard now >= last + .seconds(1) else { return false }
            last = now
            return true
        }
        guard isNew else { return }
        guard node.isFollowing else {
            pause.withLock { $0?.cancel() }
            return
        }
        Task { await self.checkStream() }
    }

    /// A stream whose pivot is gone looks open from here until its next sign of life is overdue.
    private func checkStream() async {
        guard let answer = try? await connection.place(timeout: Pauses.place), answer.verdict == .current else { return }
        try? await Task.sleep(for: .seconds(1))
        if node.cursor.position < answer.place.position { following.withLock { $0?.cancel() } }
    }

    /// One life of the stream.
    private func follow() async -> Ending {
        var ending = Ending()
        do {
            try await follow(&ending)
        } catch is CancellationError {
            // The core wants another stream.
            ending.wasOpen = true
        } catch {
            logger.debug("following failed", metadata: ["error": "\(error)"])
            if case PivotError.status(let refusal) = error { ending.retryAfter = refusal.retryAfter }
            if let fault = NodeFault(error) { show(fault, ofPages: ending.wasOpen) }
        }
        return ending
    }

    private func follow(_ ending: inout Ending) async throws {
        node.remember(certificate: try await connection.fetchCertificate())
        let joined = try await connection.join(reachableAt: reachableAt)
        if joined.verdict == .accepted, !joined.detail.isEmpty {
            logger.warning("joined, with a reservation", metadata: ["detail": "\(joined.detail)"])
        }
        guard joined.verdict == .accepted else { return show(.refused(joined.verdict, detail: joined.detail)) }
        node.deliver(.joined(place: joined.place))
        let ownBodies = isInDoubt.withLock { $0 }
        let query = ReplicationPath.LogQuery(
            cursor: node.cursor, ownIncarnation: ownBodies ? nil : node.replica.incarnation, isFollowing: true)
        switch try await connection.log(query) {
        case .refused(let answer) where answer.verdict == .gone:
            ending.wasOpen = try await takeSnapshot()
        case .refused(let answer) where answer.verdict == .refill:
            show(.pivotLost(detail: answer.detail))
        case .refused(let answer):
            show(.refused(answer.verdict, detail: answer.detail))
        case .stream(let body):
            ending.wasOpen = true
            if !isOfPages.withLock({ $0 }) { show(nil) }
            mend(at: joined.place)
            setConnected(true)
            defer { setConnected(false) }
            let watch = Task { await watchPivot() }
            defer { watch.cancel() }
            try await consume(body)
        }
    }

    /// The pivot says where its log ends: where everything is here, nothing of the stream is damaged.
    private func mend(at place: Cursor) {
        if isOfPages.withLock({ $0 }), node.holds(place) { show(nil) }
    }

    /// The log does not go back to this node's cursor: everything is taken as it is now, beside what the node serves meanwhile.
    ///
    /// - Returns: whether it got on; what is staged is not lost when it fails.
    private func takeSnapshot() async throws -> Bool {
        let intake = try SnapshotIntake(node, from: try connection.knownPivot())
        let place = try await intake.place
        let begin = ContinuousClock.now
        logger.notice("taking a snapshot", metadata: ["from": "\(place.map { "\($0.section)" } ?? "its beginning")"])
        guard case .stream(let body) = try await connection.snapshot(place) else {
            logger.notice("the pivot has another snapshot by now")
            try await intake.discard()
            return false
        }
        var frames = FrameReader()
        var frameCount = 0
        for try await chunk in body {
            try Task.checkCancellation()
            frames.append(chunk)
            while let frame = try frames.next() {
                try await intake.take(frame)
                frameCount += 1
            }
        }
        guard try await intake.finish() else { throw PivotError.unreachable("the snapshot ended early") }
        logger.notice(
            "snapshot installed",
            metadata: [
                "position": "\(node.cursor.position)", "frames": "\(frameCount)", "seconds": "\(ContinuousClock.now - begin)",
            ])
        return true
    }

    /// What an operator has to see, once for each change.
    private func show(_ fault: NodeFault?, ofPages: Bool = false) {
        isOfPages.withLock { $0 = ofPages && fault != nil }
        guard node.show(connectionFault: fault) else { return }
        if let fault {
            logger.error("the pivot does not serve this node", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
        } else {
            logger.notice("the pivot serves this node again")
        }
    }

    private func setConnected(_ isOpen: Bool) {
        guard node.show(isFollowing: isOpen) else { return }
        if isOpen {
            logger.notice("following the pivot", metadata: ["url": "\(connection.url)", "outbox": "\(node.outboxCount)"])
        } else if !Task.isCancelled {
            logger.notice("lost the pivot: reads and writes go on here", metadata: ["url": "\(connection.url)"])
        }
    }

    private func watchPivot() async {
        while !Task.isCancelled {
            if let answer = try? await connection.place(timeout: Pauses.placeAnew), answer.verdict == .current {
                mend(at: answer.place)
            }
            try? await Task.sleep(for: Pauses.watch)
        }
    }

    /// Pages are verified while those before are being applied.
    private func consume(_ body: some AsyncSequence<ByteBuffer, any Error>) async throws {
        var frames = FrameReader()
        let window = PageWindow()
        for try await chunk in body {
            try Task.checkCancellation()
            frames.append(chunk)
            while let bytes = try frames.next() {
                guard !bytes.isEmpty else { continue }
                let page = try await connection.verify(page: bytes)
                show(nil)
                await window.enter(bytes.count)
                node.apply(page) { window.leave(bytes.count) }
            }
        }
        await window.drained()
    }
}
