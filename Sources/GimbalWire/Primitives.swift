import GimbalCRDT

/// 64 bytes of a signature (Ed25519) as they travel.
public struct Signature: Hashable, Sendable {
    public static let byteCount = 64
    public let bytes: [UInt8]

    /// Nil unless `bytes` holds exactly 64.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = Array(bytes)
    }
}

/// The cryptography that the pure targets need, given to them as an argument. GimbalSigning implements it with libsodium.
public protocol Primitives: Sendable {
    /// BLAKE2b-256 of the prefix byte, if there is one, and the bytes.
    func hash(prefix: UInt8?, _ bytes: Span<UInt8>) -> Digest
    /// BLAKE2b-512, as eight little-endian words.
    func wideHash(_ bytes: Span<UInt8>) -> SIMD8<UInt64>
    /// Whether `signature` is the author's over `message`. Small-order keys and non-canonical signatures are refused.
    func verify(_ signature: Signature, of message: [UInt8], by author: AuthorID) -> Bool
}

extension Primitives {
    public func hash(_ bytes: [UInt8]) -> Digest { hash(prefix: nil, bytes.span) }
}

/// A secret key that signs, without showing itself.
public protocol Signer: Sendable {
    var author: AuthorID { get }
    func sign(_ message: [UInt8]) -> Signature
}
