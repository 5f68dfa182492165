import GimbalCRDT
import GimbalSigning
import GimbalWire

/// Real hashes, and every signature holds: lets a fuzzer past the signatures that it cannot forge.
struct TrustingPrimitives: Primitives {
    private let sodium = SodiumPrimitives()

    func hash(prefix: UInt8?, _ bytes: Span<UInt8>) -> Digest { sodium.hash(prefix: prefix, bytes) }
    func wideHash(_ bytes: Span<UInt8>) -> SIMD8<UInt64> { sodium.wideHash(bytes) }
    func verify(_ signature: Signature, of message: [UInt8], by author: AuthorID) -> Bool { true }
}

/// Signs for anybody, with zeros.
struct BlankSigner: Signer {
    var author: AuthorID

    static var signature: Signature {
        guard let signature = Signature(repeatElement(0, count: Signature.byteCount)) else {
            preconditionFailure("a signature has \(Signature.byteCount) bytes")
        }
        return signature
    }

    func sign(_ message: [UInt8]) -> Signature { Self.signature }
}

/// Signatures that are hashes of who signs and what: as telling as real ones as long as nobody forges them, and fast.
struct HashSigner: Signer {
    var author: AuthorID

    func sign(_ message: [UInt8]) -> Signature {
        let words = SodiumPrimitives().wideHash((author.bytes + message).span)
        let bytes = words.indices.flatMap { index in (0..<8).map { UInt8(truncatingIfNeeded: words[index] >> UInt64($0 * 8)) } }
        guard let signature = Signature(bytes) else { preconditionFailure("BLAKE2b-512 has \(Signature.byteCount) bytes") }
        return signature
    }
}

/// Verifies what `HashSigner` signs.
struct HashPrimitives: Primitives {
    private let sodium = SodiumPrimitives()

    func hash(prefix: UInt8?, _ bytes: Span<UInt8>) -> Digest { sodium.hash(prefix: prefix, bytes) }
    func wideHash(_ bytes: Span<UInt8>) -> SIMD8<UInt64> { sodium.wideHash(bytes) }
    func verify(_ signature: Signature, of message: [UInt8], by author: AuthorID) -> Bool {
        HashSigner(author: author).sign(message) == signature
    }
}
