import AsyncHTTPClient
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// What a pivot offers to the nodes of its space. Every route but the certificate's takes signed requests alone, and every
/// answer that a node acts on is signed, or proves itself.
struct PivotRoutes: Sendable {
    let pivot: PivotSpace
    let isEnrollmentOpen: Bool
    let logger: Logger
    let health: PivotHealth
    let triggers: TriggerSender
    private let meter: PushMeter
    private let challenges = ChallengeBook()
    private let turns = PushTurns()
    private let primitives = SodiumPrimitives()

    init(pivot: PivotSpace, _ plan: SpacePlan.Leading, http: HTTPClient, logger: Logger) {
        self.pivot = pivot
        isEnrollmentOpen = plan.isEnrollmentOpen
        self.logger = logger
        health = PivotHealth()
        triggers = TriggerSender(
            pivot: pivot, health: health, networks: plan.triggerNetworks, http: http, logger: logger)
        meter = PushMeter(pivot.space)
    }

    func add(to router: Router<ServerContext>) {
        let space = pivot.space
        router.get(RouterPath(ReplicationPath.certificate(space))) { _, _ in
            signedResponse(pivot.certificate, .ok)
        }
        router.post(RouterPath(ReplicationPath.join(space))) { request, context in
            try await join(request, from: context.channel.remoteAddress)
        }
        router.post(RouterPath(ReplicationPath.push(space))) { request, _ in try await push(request) }
        router.get(RouterPath(ReplicationPath.place(space))) { request, _ in try await place(request) }
        router.get(RouterPath(ReplicationPath.log(space))) { request, context in
            try await log(request, context.channel)
        }
        router.get(RouterPath(ReplicationPath.snapshot(space))) { request, _ in try await snapshot(request) }
    }

    // MARK: Routes

    private func join(_ request: Request, from source: SocketAddress?) async throws -> Response {
        let signature = try authenticate(request)
        let bytes = try await body(of: request, upTo: 4096)
        let author = signature.author
        let body = bytes.isEmpty ? .init() : try? JSONDecoder().decode(ReplicationPath.JoinBody.self, from: Data(bytes))
        guard let body else { return answer(.malformed, to: signature, detail: "the body of a join is JSON or empty") }
        if pivot.records.members[author] == nil, isEnrollmentOpen {
            let member = MemberRecord(name: String(author.hex.prefix(8)), writes: [.everything])
            let written = await pivot.write(.record(SpaceRecords.memberPath(author), value: member.json))
            if case .failure(let failure) = written {
                return refusal(.serviceUnavailable, failure.rawValue, "the new member could not be stored: try again")
            }
            logger.notice("node joined by open enrollment", metadata: ["author": "\(author)"])
        }
        guard let member = pivot.records.members[author], !member.isRevoked else {
            if health.isNews(stranger: author) {
                logger.warning(
                    "stranger refused: it keeps asking until it is allowed",
                    metadata: ["author": "\(author)", "address": "\(request.headers[.gimbalAddress] ?? "")"])
            }
            return stranger(signature, detail: "allow it with --allow \(author)")
        }
        return answer(.accepted, to: signature, detail: triggers.register(author, body.reachableAt, from: source) ?? "")
    }

    private func push(_ request: Request) async throws -> Response {
        let signature = try authenticate(request)
        guard isMember(signature) else { return stranger(signature) }
        noteClock(of: signature.author, request)
        do {
            return try await turns.take(signature.author) {
                try await body(of: request, upTo: PushRequest.hardMaximumBytes)
            } work: { body in
                try await take(body, signature)
            }
        } catch is CancellationError {
            return refusal(.serviceUnavailable, "superseded", "a newer push of this member took the place of this one")
        }
    }

    private func take(_ body: [UInt8], _ signature: RequestSignature) async throws -> Response {
        let deltas: [IncomingDelta]
        let cursor: Cursor
        do throws(WireError) {
            var push = try PushReader(body)
            cursor = push.cursor
            var sealed: [SealedDelta] = []
            while let delta = try push.next() { sealed.append(delta) }
            deltas = try await Verification.verify(sealed)
        } catch {
            logger.warning("push refused", metadata: ["author": "\(signature.author)", "error": "\(error)"])
            let verdict: Answer.Verdict = error.code == .badSignature ? .badSignature : .malformed
            meter.answered(verdict)
            return answer(verdict, to: signature, detail: "\(error)")
        }
        let result = await withCheckedContinuation { continuation in
            pivot.push(cursor, deltas) { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(let outcome):
            note(outcome, of: signature.author)
            if outcome.verdict != .accepted {
                logger.notice(
                    "push not accepted",
                    metadata: [
                        "author": "\(signature.author)", "verdict": "\(outcome.verdict.rawValue)", "detail": "\(outcome.detail)",
                    ])
            }
            return answer(outcome.verdict, to: signature, head: outcome.head, detail: outcome.detail)
        case .failure(let failure):
            return refusal(failure == .storageFull ? .init(code: 507) : .serviceUnavailable, failure.rawValue, "try again")
        }
    }

    /// The question of sync-on-read: where does the log end now?
    private func place(_ request: Request) async throws -> Response {
        let signature = try await authenticateWithoutBody(request)
        guard isMember(signature) else { return stranger(signature) }
        noteClock(of: signature.author, request)
        return answer(.current, to: signature)
    }

    private func log(_ request: Request, _ channel: any Channel) async throws -> Response {
        let signature = try await authenticateWithoutBody(request)
        guard isMember(signature) else { return stranger(signature) }
        noteClock(of: signature.author, request)
        guard let query = ReplicationPath.LogQuery(request.uri.query ?? "") else {
            return refusal(.badRequest, "malformed-query", "epoch, position and root of a cursor expected")
        }
        switch try pivot.standing(of: query.cursor) {
        case .served: break
        case .gone: return answer(.gone, to: signature, status: .gone, detail: "take the snapshot")
        case .unknown:
            return answer(.refill, to: signature, status: .conflict, detail: "this log does not contain \(query.cursor)")
        }
        let own = query.ownIncarnation.map { ReplicaID(author: signature.author, incarnation: $0) }
        let address = request.headers[.gimbalAddress] ?? ""
        let author = signature.author
        // A log that cannot be read is said before the answer begins: a stream that ends tells a node nothing.
        _ = try pivot.page(after: query.cursor.position, receiptsFor: own)
        return Response(
            status: .ok,
            // nginx speaks HTTP/1.0 to a server by default, and keeps what comes in no chunks until it has a bufferful.
            headers: [.contentType: ReplicationPath.streamContentType, .accelBuffering: "no"],
            body: ResponseBody { writer in
                health.heard(author, address: address, position: query.cursor.position, streams: 1)
                pivot.heard(author, position: query.cursor.position)
                defer { health.heard(author, address: address, streams: -1) }
                let stream = PageStream(pivot: pivot, receiptsFor: own, isFollowing: query.isFollowing, channel: channel)
                try await stream.run(after: query.cursor.position) { bytes, position in
                    try await writer.write(ByteBuffer(bytes: bytes))
                    health.heard(author, address: address, position: position)
                    pivot.heard(author, position: position)
                }
                try await writer.finish(nil)
            })
    }

    /// The space as it is now, or the rest of it as it was when the node began to take it.
    private func snapshot(_ request: Request) async throws -> Response {
        let signature = try await authenticateWithoutBody(request)
        guard isMember(signature) else { return stranger(signature) }
        guard let place = ReplicationPath.SnapshotQuery.place(request.uri.query ?? "") else {
            return refusal(.badRequest, "malformed-query", "a cursor and a section of its snapshot expected")
        }
        guard let (source, first) = try await Self.reading({ try pivot.snapshot(place) }) else {
            return answer(.gone, to: signature, status: .gone, detail: "this snapshot is not here any more: begin anew")
        }
        // Of whoever asks for the head alone no reading begins, so none ends.
        guard request.method != .head else {
            pivot.release(source)
            return Response(status: .ok, headers: [.contentType: ReplicationPath.streamContentType])
        }
        let position = source.checkpoint.position
        logger.notice(
            "a node takes a snapshot",
            metadata: ["author": "\(signature.author)", "at": "\(position)", "again": "\(place != nil)"])
        return Response(
            status: .ok, headers: [.contentType: ReplicationPath.streamContentType],
            body: ResponseBody { writer in
                defer { pivot.release(source) }
                var reader = first
                while let frame = try await Self.reading({ try reader.next() }) {
                    try await writer.write(ByteBuffer(bytes: ReplicationPath.frame(frame)))
                }
                try await writer.finish(nil)
            })
    }

    /// Long reads of the storage stay away from the event loops.
    @concurrent
    private static func reading<Value>(_ body: () throws -> sending Value) async throws -> sending Value { try body() }

    // MARK: What an operator should know

    private func noteClock(of author: AuthorID, _ request: Request) {
        guard let skew = request.headers[.gimbalClockSkew].flatMap({ Int64($0) }) else { return }
        health.heard(author, address: request.headers[.gimbalAddress] ?? "", skewMilliseconds: skew)
    }

    private func note(_ outcome: PushOutcome, of author: AuthorID) {
        meter.answered(outcome.verdict)
        meter.refused(outcome.refusals)
        let isCapped = outcome.aheadMilliseconds > 0
        if isCapped { meter.capped() }
        if outcome.verdict == .accepted, health.heard(author, isCapped: isCapped) {
            logger.warning(
                isCapped
                    ? "a node's clock is ahead: its stamps are capped" : "a node's stamps are not ahead any more",
                metadata: ["author": "\(author)", "milliseconds": "\(outcome.aheadMilliseconds)"])
        }
        if !outcome.refusals.isEmpty {
            let reasons = Dictionary(grouping: outcome.refusals) { $0 }.mapValues(\.count).sorted { $0.key < $1.key }
            logger.notice(
                "operations of a node were refused",
                metadata: [
                    "author": "\(author)", "reasons": "\(reasons.map { "\($0.key): \($0.value)" }.joined(separator: ", "))",
                ])
        }
    }

    // MARK: Parts of answers

    /// Signed, so that a node believes it, and refused in the language of HTTP as well.
    private func stranger(_ signature: RequestSignature, detail: String = "") -> Response {
        answer(.notAMember, to: signature, status: .unauthorized, detail: detail)
    }

    private func isMember(_ signature: RequestSignature) -> Bool {
        pivot.records.members[signature.author].map { !$0.isRevoked } ?? false
    }

    /// Checks the signature and takes the nonce, by the head alone: nobody's body is read before it is known whose it is. Answers
    /// 401 with a fresh challenge otherwise.
    private func authenticate(_ request: Request) throws -> RequestSignature {
        let headers = request.headers
        var target = RequestSignature.Target(
            method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "", sha512: nil)
        // What the body has to be is signed; whether it is that, `body` looks.
        if request.method != .get, request.method != .head { target.digest = headers[.contentDigest] ?? "" }
        do throws(RequestSignature.Failure) {
            let signature = try RequestSignature(
                verifying: target, header: { name in HTTPField.Name(name).flatMap { headers[$0] } }, primitives)
            guard challenges.take(signature) else { throw .missing }
            return signature
        } catch {
            throw ChallengeError(challenge: challenges.issue(), reason: error.rawValue)
        }
    }

    private func authenticateWithoutBody(_ request: Request) async throws -> RequestSignature {
        let signature = try authenticate(request)
        _ = try await request.body.collect(upTo: 0)
        return signature
    }

    /// The body of a request whose signature holds: what was signed, or 401.
    private func body(of request: Request, upTo limit: Int) async throws -> [UInt8] {
        let stated = request.headers[.contentLength].flatMap { Int($0) }
        guard stated ?? 0 <= limit else { throw NIOTooManyBytesError(maxBytes: limit) }
        let bytes = [UInt8](buffer: try await request.body.collect(upTo: stated ?? limit))
        let target = RequestSignature.Target(method: "", path: "", query: "", body: bytes, primitives)
        guard let digest = target.digest, request.headers[.contentDigest]?.utf8.elementsEqual(digest.utf8) == true else {
            throw ChallengeError(challenge: challenges.issue(), reason: RequestSignature.Failure.wrongDigest.rawValue)
        }
        return bytes
    }

    private func answer(
        _ verdict: Answer.Verdict, to signature: RequestSignature, head: Head = .none, status: HTTPResponse.Status = .ok,
        detail: String = ""
    ) -> Response {
        signedResponse(pivot.answer(verdict, to: signature.nonce, head: head, detail: detail), status)
    }

    private func signedResponse(_ payload: SignedPayload, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: ReplicationPath.signedContentType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: payload.encoded)))
    }
}

/// 401 with a fresh challenge.
struct ChallengeError: Error, HTTPResponseError {
    let challenge: [UInt8]
    let reason: String

    var status: HTTPResponse.Status { .unauthorized }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = refusal(.unauthorized, reason, "sign the request with the challenge in Gimbal-Challenge")
        response.headers[.gimbalChallenge] = Hex.encode(challenge)
        return response
    }
}

extension HTTPField.Name {
    static let gimbalChallenge = fixed(RequestSignature.challengeHeader)
    static let contentDigest = fixed(RequestSignature.digestHeader)
    static let gimbalAddress = fixed("Gimbal-Address")
    static let gimbalClockSkew = fixed(RequestSignature.clockHeader)
    static let gimbalErrorCode = fixed("Gimbal-Error")
    static let accelBuffering = fixed("X-Accel-Buffering")

    static func fixed(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is a header's name") }
        return name
    }
}

/// A refusal with a stable code and a sentence for people.
func refusal(_ status: HTTPResponse.Status, _ code: String, _ sentence: String) -> Response {
    Response(
        status: status, headers: [.gimbalErrorCode: code, .contentType: "text/plain; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: sentence)))
}

func jsonResponse(_ value: some Encodable) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = (try? encoder.encode(value)) ?? Data("null".utf8)
    return Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
}
