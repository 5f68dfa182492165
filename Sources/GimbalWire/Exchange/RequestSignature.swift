import GimbalCRDT

/// The signature of one replication request: RFC 9421 over method, path, query and, with a body, its digest (RFC 9530).
///
/// There is no time in it, so a wrong clock locks nobody out. The nonce is a challenge that the server gave to this process
/// and a counter: each is taken once.
public struct RequestSignature: Hashable, Sendable {
    public static let inputHeader = "Signature-Input"
    public static let signatureHeader = "Signature"
    public static let digestHeader = "Content-Digest"
    /// In answers with status 401: a fresh challenge.
    public static let challengeHeader = "Gimbal-Challenge"

    /// How far a node believes its clock to be ahead of the pivot's, in milliseconds: shown to people, and nothing else.
    public static let clockHeader = "Gimbal-Clock-Skew"

    public static let challengeByteCount = 16
    public static let nonceByteCount = challengeByteCount + 8

    /// What is signed of a request.
    public struct Target: Hashable, Sendable {
        public var method: String
        /// Without the query, and without escapes of what needs none: what is on the way may spell them anew (RFC 9421 §2.2.6).
        public var path: String
        /// Without the question mark; empty for none.
        public var query: String
        /// The value of `Content-Digest`; nil for a request without a body.
        public var digest: String?

        /// `sha512` is that of the body; nil for a request without one.
        public init(method: String, path: String, query: String, sha512: [UInt8]?) {
            self.method = method
            self.path = path
            self.query = query
            digest = sha512.map { "sha-512=:\(Base64.encode($0)):" }
        }
    }

    public enum Failure: String, Error {
        case missing = "unsigned"
        case malformed = "malformed-signature"
        case wrongDigest = "wrong-digest"
        case wrongSignature = "wrong-signature"
    }

    public let author: AuthorID
    /// Challenge ‖ counter.
    public let nonce: [UInt8]
    public let signature: Signature

    public var challenge: [UInt8] { Array(nonce.prefix(Self.challengeByteCount)) }
    public var counter: UInt64 { nonce.suffix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    public static func nonce(challenge: [UInt8], counter: UInt64) -> [UInt8] {
        challenge + (0..<8).map { UInt8(truncatingIfNeeded: counter >> UInt64(56 - $0 * 8)) }
    }

    // MARK: Signing

    public init(signing target: Target, nonce: [UInt8], with signer: any Signer) {
        author = signer.author
        self.nonce = nonce
        let parameters = Self.parameters(of: target, author: signer.author, nonce: nonce)
        signature = signer.sign(Self.base(target, parameters: parameters))
    }

    /// The headers that carry it, the digest's included.
    public func headers(for target: Target) -> [(name: String, value: String)] {
        var headers = [
            (name: Self.inputHeader, value: "gimbal=\(Self.parameters(of: target, author: author, nonce: nonce))"),
            (name: Self.signatureHeader, value: "gimbal=:\(Base64.encode(signature.bytes)):"),
        ]
        if let digest = target.digest { headers.append((name: Self.digestHeader, value: digest)) }
        return headers
    }

    // MARK: Verifying

    /// Reads and checks the headers of a request. What the nonce is worth is for whoever gave the challenge to say.
    public init(
        verifying target: Target, header: (String) -> String?, _ primitives: any Primitives
    ) throws(Failure) {
        guard let input = header(Self.inputHeader), let signature = header(Self.signatureHeader) else { throw .missing }
        guard let read = Self(parsing: Array(input.utf8), Array(signature.utf8), of: target) else { throw .malformed }
        self = read
        if let digest = target.digest {
            guard let stated = header(Self.digestHeader), stated.utf8.elementsEqual(digest.utf8) else { throw .wrongDigest }
        }
        let parameters = Self.parameters(of: target, author: author, nonce: nonce)
        guard primitives.verify(self.signature, of: Self.base(target, parameters: parameters), by: author) else {
            throw .wrongSignature
        }
    }

    /// Nil for whatever `headers` would not write for this target, byte for byte. (Equal strings may differ in bytes.)
    private init?(parsing input: [UInt8], _ signature: [UInt8], of target: Target) {
        guard target.isOneLineEach else { return nil }
        let begin = Array("gimbal=\(Self.components(of: target));keyid=\"".utf8)
        let middle = Array("\";nonce=\"".utf8)
        let author = input.dropFirst(begin.count).prefix(64)
        let nonce = input.dropFirst(begin.count + 64 + middle.count).prefix(Self.nonceByteCount * 2)
        guard let author = AuthorID(hex: String(decoding: author, as: UTF8.self)),
            let nonce = Hex.decode(String(decoding: nonce, as: UTF8.self)), nonce.count == Self.nonceByteCount,
            input.elementsEqual("gimbal=\(Self.parameters(of: target, author: author, nonce: nonce))".utf8)
        else { return nil }
        guard signature.starts(with: "gimbal=:".utf8), signature.count > 8, signature.last == UInt8(ascii: ":"),
            let bytes = Base64.decode(signature[8..<(signature.count - 1)]), let signature = Signature(bytes)
        else { return nil }
        self.author = author
        self.nonce = nonce
        self.signature = signature
    }

    // MARK: Parts

    private static func components(of target: Target) -> String {
        target.digest == nil ? #"("@method" "@path" "@query")"# : #"("@method" "@path" "@query" "content-digest")"#
    }

    private static func parameters(of target: Target, author: AuthorID, nonce: [UInt8]) -> String {
        #"\#(components(of: target));keyid="\#(author.hex)";nonce="\#(Hex.encode(nonce))";alg="ed25519""#
    }

    /// RFC 9421 §2.5.
    private static func base(_ target: Target, parameters: String) -> [UInt8] {
        var lines = [
            "\"@method\": \(target.method)", "\"@path\": \(target.path)", "\"@query\": ?\(target.query)",
        ]
        if let digest = target.digest { lines.append("\"content-digest\": \(digest)") }
        lines.append("\"@signature-params\": \(parameters)")
        return Array(lines.joined(separator: "\n").utf8)
    }
}

extension RequestSignature.Target {
    /// What is signed is lines: a line break inside of one would make two requests look the same.
    fileprivate var isOneLineEach: Bool {
        [method, path, query].allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
    }
}
