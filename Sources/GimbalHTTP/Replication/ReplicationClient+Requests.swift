import AsyncHTTPClient
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import NIOCore

/// The requests of an exchange, each from its bytes to its verified answer.
extension ReplicationClient {
    func perform(_ request: Exchange.Request, _ push: PushRequest?, _ id: Exchange.RequestID) async {
        do {
            switch request {
            case .certificate:
                node.remember(certificate: try await connection.fetchCertificate())
                take(.replied(id, .certified))
            case .join:
                take(.replied(id, .answer(try await connection.join(reachableAt: reachableAt))))
            case .place:
                let timeout = node.isFollowing ? Patience.place : Patience.placeAnew
                take(.replied(id, .answer(try await connection.place(timeout: timeout))))
            case .push:
                guard let push else { return node.deliver(.pushInterrupted) }
                let answer = try await connection.push(push)
                meter.answered(answer.verdict)
                take(.replied(id, .answer(answer)))
            case .log(let cursor, let ownIncarnation): try await follow(cursor, ownIncarnation, id)
            case .snapshot: take(.replied(id, try await takeSnapshot()))
            }
        } catch is CancellationError {
            // Abandoned, or the server stops.
        } catch {
            logger.debug("the pivot was not reached", metadata: ["request": "\(request)", "error": "\(error)"])
            let failure = Exchange.Failure(error)
            if case .push = request { meter.failed(failure) }
            take(.failed(id, failure))
        }
    }

    /// Pages are verified while those before are being applied.
    private func follow(_ cursor: Cursor, _ ownIncarnation: UInt64?, _ id: Exchange.RequestID) async throws {
        let query = ReplicationPath.LogQuery(cursor: cursor, ownIncarnation: ownIncarnation, isFollowing: true)
        switch try await connection.log(query) {
        case .refused(let answer): take(.replied(id, .answer(answer)))
        case .stream(let body):
            let window = window(of: id)
            take(.replied(id, .stream))
            var frames = FrameReader()
            for try await chunk in body {
                try Task.checkCancellation()
                frames.append(chunk)
                while let bytes = try frames.next() {
                    guard !bytes.isEmpty else { continue }
                    let page = try await connection.verify(page: bytes)
                    await window.enter(bytes.count)
                    try Task.checkCancellation()
                    take(.page(id, page))
                }
            }
            await window.drained()
            take(.ended(id))
        }
    }

    /// Everything is taken as it is now, beside what the node serves meanwhile. What is staged is not lost when it fails.
    private func takeSnapshot() async throws -> Exchange.Reply {
        let intake = try SnapshotIntake(node, from: try connection.knownPivot())
        let place = try await intake.place
        let begin = ContinuousClock.now
        logger.notice("taking a snapshot", metadata: ["from": "\(place.map { "\($0.section)" } ?? "its beginning")"])
        guard case .stream(let body) = try await connection.snapshot(place) else {
            logger.notice("the pivot has another snapshot by now")
            try await intake.discard()
            return .anotherSnapshot
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
        return .installed
    }
}

extension Exchange.Failure {
    init(_ error: any Error) {
        switch error {
        case let error as WireError: self = .fault(.badPage(detail: "\(error)"))
        case PivotError.status(let refusal): self = .refused(refusal.refusal)
        default: self = NodeFault(error).map { .fault($0) } ?? .unanswered
        }
    }
}
