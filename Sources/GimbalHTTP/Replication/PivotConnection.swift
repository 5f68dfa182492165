import AsyncHTTPClient
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import NIOCore
import NIOHTTP1
import Synchronization

/// Why a pivot could not be asked, or its answer not be believed.
enum PivotError: Error, CustomStringConvertible {
    case unreachable(String)
    /// An answer that no pivot signed.
    case status(WayRefusal)
    /// It answered, signed, and does not want this node.
    case refused(Answer.Verdict, detail: String)
    case untrusted(WireError)
    case leadsNoSpace
    case leadsAnotherSpace(SpaceID)
    case leadsOthers(wanted: String, led: [String])
    case leadsSeveral([String])

    var description: String {
        switch self {
        case .unreachable(let reason): "the pivot cannot be reached: \(reason)"
        case .status(let refusal): refusal.sentence
        case .refused(let verdict, let detail): "the pivot answered \(verdict.rawValue): \(detail)"
        case .untrusted(let error): "what the pivot answered proves nothing: \(error)"
        case .leadsNoSpace: "the server there leads no space"
        case .leadsAnotherSpace(let space): "the server there leads space \(space)"
        case .leadsOthers(let wanted, let led): "the server there leads no space \"\(wanted)\" but \(led.joined(separator: ", "))"
        case .leadsSeveral(let led):
            "the server there leads several spaces, say which with --space: \(led.joined(separator: ", "))"
        }
    }
}

/// One node's side of the exchange with its pivot: each call is a request, its answer verified before anybody sees it.
final class PivotConnection: Sendable {
    let space: SpaceID
    private let client: SignedClient
    private let primitives = SodiumPrimitives()
    /// The pivot's working key, from the certificate of the root.
    private let pivot: Mutex<AuthorID?>
    private let clock: PivotClock?

    var url: String { client.baseURL }

    init(space: SpaceID, client: SignedClient, pivot: AuthorID? = nil, clock: PivotClock? = nil) {
        self.clock = clock
        self.space = space
        self.client = client
        self.pivot = Mutex(pivot)
    }

    /// Which space to follow at the server of this address: the wanted one, else the one that is followed already, else the
    /// only one there.
    static func discoverSpace(_ client: SignedClient, wanted: String? = nil, known: SpaceID? = nil) async throws -> SpaceID {
        let response = try await reaching {
            try await client.get(ReplicationPath.spaces, deadline: client.deadline(Patience.answer))
        }
        let body = try await reaching { try await response.body.collect(upTo: 1 << 16) }
        guard response.status == .ok,
            let directory = try? JSONDecoder().decode(ReplicationPath.Directory.self, from: Data(body.readableBytesView))
        else { throw PivotError.status(WayRefusal("GET spaces", response, Array(body.readableBytesView))) }
        let named = (directory.named ?? []).map { (name: $0.name, space: $0.space) }
        if let wanted {
            guard let space = named.first(where: { $0.name == wanted }).flatMap({ SpaceID(hex: $0.space) }) else {
                throw PivotError.leadsOthers(wanted: wanted, led: named.map { "\($0.name) (\($0.space))" })
            }
            return space
        }
        let spaces = directory.spaces.compactMap { SpaceID(hex: $0) }
        if let known, spaces.contains(known) { return known }
        guard spaces.count < 2 else { throw PivotError.leadsSeveral(named.map { "\($0.name) (\($0.space))" }) }
        guard let space = spaces.first else { throw PivotError.leadsNoSpace }
        return space
    }

    /// Fetches the root's word for the pivot's key.
    func fetchCertificate() async throws -> SignedPayload {
        let response = try await reaching {
            try await client.get(ReplicationPath.certificate(space), deadline: client.deadline(Patience.answer))
        }
        let bytes = try await body(of: response, limit: 4096)
        let type = response.headers.first(name: "content-type")
        guard response.status == .ok, type == ReplicationPath.signedContentType else {
            if response.status != .ok, let other = try? await Self.discoverSpace(client), other != space {
                throw PivotError.leadsAnotherSpace(other)
            }
            throw status("GET certificate", response, bytes)
        }
        return try trusting { () throws(WireError) in
            let signed = try SignedPayload(decoding: bytes)
            let certificate = try Certificate(verifying: signed, primitives)
            guard certificate.space == space else { throw WireError(.wrongSpace) }
            pivot.withLock { $0 = certificate.pivot }
            return signed
        }
    }

    /// Proves this node's key to the pivot and the pivot's to this node.
    ///
    /// - Parameter reachableAt: where the pivot can tell this node to pull.
    func join(reachableAt: String?) async throws -> Answer {
        let body = ReplicationPath.JoinBody(reachableAt: reachableAt)
        let bytes = reachableAt == nil ? [] : Array(try JSONEncoder().encode(body))
        return try await ask("POST", ReplicationPath.join(space), body: bytes, timeout: Patience.join)
    }

    func push(_ request: PushRequest) async throws -> Answer {
        let body = request.encoded
        return try await ask("POST", ReplicationPath.push(space), body: body, timeout: Patience.push(bytes: body.count))
    }

    /// Where the log ends now.
    func place(timeout: TimeAmount) async throws -> Answer {
        try await ask("GET", ReplicationPath.place(space), body: nil, timeout: timeout)
    }

    private func ask(_ method: String, _ path: String, body: [UInt8]?, timeout: TimeAmount) async throws -> Answer {
        let asked = clock?.ask()
        let reply = try await reaching {
            // A question for the place is a reader's: it does not wait for slow connections beside.
            try await client.send(method, path, body: body, deadline: body == nil ? .now() + timeout : client.deadline(timeout))
        }
        let bytes = try await self.body(of: reply.response, limit: 1 << 16)
        guard reply.response.headers.first(name: "content-type") == ReplicationPath.signedContentType else {
            throw status("\(method) \(Self.name(path))", reply.response, bytes)
        }
        let answer = try verify(bytes, reply.nonce)
        if let asked {
            clock?.observe(pivotMilliseconds: answer.pivotMilliseconds, position: answer.place.position, askedAt: asked)
        }
        return answer
    }

    private func verify(_ bytes: [UInt8], _ nonce: [UInt8]) throws -> Answer {
        try trusting { () throws(WireError) in
            let signed = try SignedPayload(decoding: bytes)
            return try VerifiedAnswer(verifying: signed, by: try knownPivot(), of: space, to: nonce, primitives).answer
        }
    }

    func knownPivot() throws(WireError) -> AuthorID {
        guard let pivot = pivot.withLock({ $0 }) else { throw WireError(.badSignature, "no certificate yet") }
        return pivot
    }

    enum LogAnswer {
        /// The body, in frames; verify each page.
        case stream(HTTPClientResponse.Body)
        case refused(Answer)
    }

    func log(_ query: ReplicationPath.LogQuery) async throws -> LogAnswer {
        try await stream(ReplicationPath.log(space), query.text)
    }

    /// A snapshot from some place on, or from the beginning of a recent one; refused as `gone` when that one is not there any
    /// more.
    func snapshot(_ place: SnapshotPlace?) async throws -> LogAnswer {
        try await stream(ReplicationPath.snapshot(space), ReplicationPath.SnapshotQuery.text(place))
    }

    private func stream(_ path: String, _ query: String) async throws -> LogAnswer {
        let reply = try await reaching {
            try await client.send("GET", path, query: query, deadline: .distantFuture)
        }
        let type = reply.response.headers.first(name: "content-type")
        if reply.response.status == .ok, type == ReplicationPath.streamContentType { return .stream(reply.response.body) }
        let bytes = try await body(of: reply.response, limit: 1 << 16)
        guard type == ReplicationPath.signedContentType else {
            throw status("GET \(Self.name(path))", reply.response, bytes)
        }
        return .refused(try verify(bytes, reply.nonce))
    }

    func verify(page bytes: [UInt8]) async throws(WireError) -> NodePage {
        try await Verification.page(bytes, of: space, by: try knownPivot())
    }

    private func body(of response: HTTPClientResponse, limit: Int) async throws -> [UInt8] {
        [UInt8](buffer: try await reaching { try await response.body.collect(upTo: limit) })
    }

    private func status(_ request: String, _ response: HTTPClientResponse, _ body: [UInt8]) -> PivotError {
        .status(WayRefusal(request, response, body))
    }

    /// The last part of a replication route.
    private static func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    private func trusting<Value>(_ body: () throws(WireError) -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw PivotError.untrusted(error)
        }
    }
}

private func reaching<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as CancellationError {
        throw error
    } catch {
        throw PivotError.unreachable("\(error)")
    }
}
