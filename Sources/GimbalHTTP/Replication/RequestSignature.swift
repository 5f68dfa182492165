import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalWire

/// The signature of one replication request: RFC 9421 over method, path, query and, with a body, its digest (RFC 9530).
///
/// There is no time in it, so a wrong clock locks nobody out. The nonce is a challenge that the server gave to this process
/// and a counter: each is taken once.
struct RequestSignature: Sendable {
    static let inputHeader = "Signature-Input"
    static let signatureHeader = "Signature"
    static let digestHeader = "Content-Digest"
    /// In answers with status 401: a fresh challenge.
    static let challengeHeader = "Gimbal-Challenge"

    static let challengeByteCount = 16
    static let nonceByteCount = challengeByteCount + 8

    /// What is signed of a request.
    struct Target: Sendable {
        var method: String
        /// As it is sent, without the query.
        var path: String
        /// Without the question mark; empty for none.
        var query: String
        /// Nil for a request without a body.
        var body: [UInt8]?
    }

    var author: AuthorID
    /// Challenge ‖ counter.
    var nonce: [UInt8]
    var signature: Signature

    var challenge: [UInt8] { Array(nonce.prefix(Self.challengeByteCount)) }
    var counter: UInt64 { nonce.suffix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    static func nonce(challenge: [UInt8], counter: UInt64) -> [UInt8] {
        challenge + (0..<8).map { UInt8(truncatingIfNeeded: counter >> UInt64(56 - $0 * 8)) }
    }

    /// Headers that sign a request.
    static func headers(
        for target: Target, nonce: [UInt8], signer: any Signer, _ primitives: SodiumPrimitives
    ) -> [(name: String, value: String)] {
        let parameters = parameters(hasBody: target.body != nil, author: signer.author, nonce: nonce)
        let digest = target.body.map { contentDigest($0, primitives) }
        let signature = signer.sign(base(target, digest: digest, parameters: parameters))
        var headers = [
            (name: inputHeader, value: "gimbal=\(parameters)"),
            (name: signatureHeader, value: "gimbal=:\(Data(signature.bytes).base64EncodedString()):"),
        ]
        if let digest { headers.append((name: digestHeader, value: digest)) }
        return headers
    }

    enum Failure: String, Error {
        case missing = "unsigned"
        case malformed = "malformed-signature"
        case wrongDigest = "wrong-digest"
        case wrongSignature = "wrong-signature"
    }

    /// Reads and checks the headers of a request. What the nonce is worth is the `ChallengeBook`'s to say.
    init(
        verifying target: Target, header: (String) -> String?, _ primitives: SodiumPrimitives
    ) throws(Failure) {
        guard let input = header(Self.inputHeader), let signatureText = header(Self.signatureHeader) else { throw .missing }
        let marker = ";keyid=\""
        guard let keyStart = input.range(of: marker)?.upperBound,
            let author = AuthorID(hex: input[keyStart...].prefix(64)),
            let nonceStart = input.range(of: ";nonce=\"")?.upperBound,
            let nonce = Hex.decode(input[nonceStart...].prefix(Self.nonceByteCount * 2)), nonce.count == Self.nonceByteCount
        else { throw .malformed }
        // One form only: what was parsed must be all that is there.
        let parameters = Self.parameters(hasBody: target.body != nil, author: author, nonce: nonce)
        guard input == "gimbal=\(parameters)", signatureText.hasPrefix("gimbal=:"), signatureText.hasSuffix(":"),
            let bytes = Data(base64Encoded: String(signatureText.dropFirst(8).dropLast())), let signature = Signature(bytes)
        else { throw .malformed }
        let digest = target.body.map { Self.contentDigest($0, primitives) }
        guard digest == nil || header(Self.digestHeader) == digest else { throw .wrongDigest }
        guard primitives.verify(signature, of: Self.base(target, digest: digest, parameters: parameters), by: author) else {
            throw .wrongSignature
        }
        self.author = author
        self.nonce = nonce
        self.signature = signature
    }

    private static func parameters(hasBody: Bool, author: AuthorID, nonce: [UInt8]) -> String {
        let components = hasBody ? #""@method" "@path" "@query" "content-digest""# : #""@method" "@path" "@query""#
        return #"(\#(components));keyid="\#(author.hex)";nonce="\#(Hex.encode(nonce))";alg="ed25519""#
    }

    /// RFC 9421 §2.5.
    private static func base(_ target: Target, digest: String?, parameters: String) -> [UInt8] {
        var lines = [
            "\"@method\": \(target.method)", "\"@path\": \(target.path)", "\"@query\": ?\(target.query)",
        ]
        if let digest { lines.append("\"content-digest\": \(digest)") }
        lines.append("\"@signature-params\": \(parameters)")
        return Array(lines.joined(separator: "\n").utf8)
    }

    private static func contentDigest(_ body: [UInt8], _ primitives: SodiumPrimitives) -> String {
        "sha-512=:\(Data(primitives.sha512(body)).base64EncodedString()):"
    }
}
