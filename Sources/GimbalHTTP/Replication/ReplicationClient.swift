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

/// Keeps one node of a space in touch with its pivot: joins, follows the log, pushes what the node tells it to, and begins
/// again whenever something fails. It decides nothing: the node's core does.
final class ReplicationClient: Service {
    private let node: NodeSpace
    private let connection: PivotConnection
    private let logger: Logger
    private let isInDoubt = Mutex(false)
    private let following = Mutex<Task<Bool, Never>?>(nil)
    private let reachableAt: String?
    /// The wait after a failure, which a trigger ends.
    private let pause = Mutex<Task<Void, Never>?>(nil)
    private let lastTrigger = Mutex(NIODeadline.uptimeNanoseconds(0))
    private let meter: PushMeter

    init(node: NodeSpace, connection: PivotConnection, reachableAt: String?, logger: Logger) {
        self.node = node
        self.connection = connection
        self.reachableAt = reachableAt
        self.logger = logger
        meter = PushMeter(node.space)
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
            case .push(let request, let number): Task { await push(request, number) }
            case .follow(let withOwnBodies):
                isInDoubt.withLock { $0 = withOwnBodies }
                following.withLock { $0?.cancel() }
            case .investigate: Task { await investigate() }
            case .fault(let fault):
                logger.error("replication fault", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
                retryLater()
            case .faultCleared: logger.notice("replication works again")
            }
        }
    }

    private func push(_ request: PushRequest, _ number: UInt64) async {
        do {
            let answer = try await connection.push(request)
            meter.answered(answer.verdict)
            node.deliver(.pushAnswered(answer, push: number))
        } catch {
            logger.debug("push failed", metadata: ["error": "\(error)"])
            node.deliver(.pushFailed(push: number))
            retryLater(after: .milliseconds(500))
        }
    }

    /// What was refused is tried again now and then: the pivot's operator may have mended it.
    private func retryLater(after delay: Duration = .seconds(5)) {
        Task {
            try? await Task.sleep(for: delay)
            node.deliver(.retryPush)
        }
    }

    private func investigate() async {
        while !Task.isCancelled {
            if let answer = try? await connection.place(timeout: .seconds(5)), answer.verdict == .current {
                return node.deliver(.investigate(until: answer.place))
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    // MARK: Following

    private func keepFollowing() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            // What comes could not be kept: the pivot is asked once it can be.
            while node.isStorageFailing, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(200)) }
            let attempt = Task { await self.follow() }
            following.withLock { $0 = attempt }
            let wasConnected = await withTaskCancellationHandler {
                await attempt.value
            } onCancel: {
                attempt.cancel()
            }
            if wasConnected { backoff = Backoff() }
            guard !Task.isCancelled else { return }
            let delay = backoff.next()
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
        guard let answer = try? await connection.place(timeout: .seconds(2)), answer.verdict == .current else { return }
        try? await Task.sleep(for: .seconds(1))
        if node.cursor.position < answer.place.position { following.withLock { $0?.cancel() } }
    }

    /// One life of the stream. Returns whether it was open at all.
    private func follow() async -> Bool {
        do {
            node.remember(certificate: try await connection.fetchCertificate())
            let joined = try await connection.join(reachableAt: reachableAt)
            if joined.verdict == .accepted, !joined.detail.isEmpty {
                logger.warning("joined, with a reservation", metadata: ["detail": "\(joined.detail)"])
            }
            guard joined.verdict == .accepted else {
                show(.refused(joined.verdict, detail: joined.detail))
                return false
            }
            node.deliver(.joined(place: joined.place))
            let ownBodies = isInDoubt.withLock { $0 }
            let query = ReplicationPath.LogQuery(
                cursor: node.cursor, ownIncarnation: ownBodies ? nil : node.replica.incarnation, isFollowing: true)
            switch try await connection.log(query) {
            case .refused(let answer) where answer.verdict == .gone:
                return try await takeSnapshot()
            case .refused(let answer):
                show(
                    answer.verdict == .refill
                        ? .pivotLost(detail: answer.detail) : .refused(answer.verdict, detail: answer.detail))
                return false
            case .stream(let body):
                if case .badPage = node.fault {} else { show(nil) }
                setConnected(true)
                defer { setConnected(false) }
                let watch = Task { await watchPivot() }
                defer { watch.cancel() }
                try await consume(body)
                return true
            }
        } catch is CancellationError {
            return true
        } catch {
            logger.debug("following failed", metadata: ["error": "\(error)"])
            if let fault = NodeFault(error) { show(fault) }
            return false
        }
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
    private func show(_ fault: NodeFault?) {
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

    /// How often a node that nobody reads asks where its pivot is and what its clock says, for people to see.
    private static let watchPause = Duration.seconds(10)

    private func watchPivot() async {
        while !Task.isCancelled {
            _ = try? await connection.place(timeout: .seconds(5))
            try? await Task.sleep(for: Self.watchPause)
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

extension NodeFault {
    /// Nil for a pivot that is merely away: that mends itself.
    init?(_ error: any Error) {
        switch error {
        case let error as WireError: self = .badPage(detail: "\(error)")
        case let error as StoreError: self = .local(code: error.code, detail: "\(error)")
        case PivotError.status(500..<600, let code, let detail) where code.hasPrefix("storage-") || code.hasPrefix("store-"):
            self = .local(code: "pivot-storage", detail: "the pivot's storage does not work: \(code): \(detail)")
        case PivotError.untrusted(let error): self = .badPage(detail: "\(error)")
        case PivotError.refused(let verdict, let detail): self = .refused(verdict, detail: detail)
        case PivotError.leadsSeveral: self = .local(code: "space-needed", detail: "\(error)")
        case PivotError.leadsOthers: self = .local(code: "no-such-space", detail: "\(error)")
        case PivotError.leadsAnotherSpace, PivotError.leadsNoSpace, PivotError.status(400..<500, _, _):
            self = .refused(.wrongSpace, detail: "\(error)")
        default: return nil
        }
    }
}

/// Takes a stream of chunks apart into the frames of `ReplicationPath.frame`.
struct FrameReader {
    private var buffer = ByteBuffer()

    mutating func append(_ chunk: ByteBuffer) {
        var chunk = chunk
        buffer.writeBuffer(&chunk)
    }

    /// The next whole frame; nil until more has come.
    mutating func next() throws(WireError) -> [UInt8]? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        guard length <= UInt32(Page.hardMaximumBytes) else {
            throw WireError(.tooLarge, at: 0, "frame: at most \(Page.hardMaximumBytes) bytes")
        }
        guard buffer.readableBytes >= 4 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        let bytes = buffer.readBytes(length: Int(length)) ?? []
        buffer.discardReadBytes()
        return bytes
    }
}
