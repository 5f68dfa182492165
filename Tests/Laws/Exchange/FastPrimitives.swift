import GimbalCRDT
import GimbalWire

/// Hashes and signatures that cost nothing and prove nothing: laws are about merging, and are checked on many thousands of
/// histories. Whoever knows a public key can sign for it.
public struct FastPrimitives: Primitives {
    public init() {}

    public func hash(prefix: UInt8?, _ bytes: Span<UInt8>) -> Digest {
        let words = mixed(prefix.map { UInt64($0) + 1 } ?? 0, bytes)
        return Digest(words: words)
    }

    public func wideHash(_ bytes: Span<UInt8>) -> SIMD8<UInt64> {
        let words = mixed(999, bytes)
        let lanes = SIMD4(words.first, words.second, words.third, words.fourth)
        let more = lanes &+ 0x9e37_79b9_7f4a_7c15
        return SIMD8(lowHalf: lanes, highHalf: SIMD4(Self.stir(more.x), Self.stir(more.y), Self.stir(more.z), Self.stir(more.w)))
    }

    public func verify(_ signature: Signature, of message: [UInt8], by author: AuthorID) -> Bool {
        signature == FastSigner(author: author).sign(message)
    }

    private func mixed(_ start: UInt64, _ bytes: Span<UInt8>) -> Words32 {
        // Four lanes, a word each at a time; read as raw memory, because state digests of 16 KiB are hashed once a commit.
        var lanes = (start &+ 1, start &+ 2, start &+ 3, start &+ UInt64(bytes.count) &+ 4)
        bytes.withUnsafeBytes { raw in
            var offset = 0
            while offset + 32 <= raw.count {
                lanes.0 = Self.fold(lanes.0, raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                lanes.1 = Self.fold(lanes.1, raw.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                lanes.2 = Self.fold(lanes.2, raw.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
                lanes.3 = Self.fold(lanes.3, raw.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
                offset += 32
            }
            while offset < raw.count {
                lanes.0 = Self.fold(lanes.0, UInt64(raw[offset]) | 0x100)
                offset += 1
            }
        }
        let sum = Self.stir(lanes.0 ^ Self.stir(lanes.1 ^ Self.stir(lanes.2 ^ Self.stir(lanes.3))))
        return Words32(sum, Self.stir(sum ^ lanes.1), Self.stir(sum ^ lanes.2), Self.stir(sum ^ lanes.3))
    }

    private static func fold(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let product = (lane ^ word).multipliedFullWidth(by: 0x9fb2_1c65_1e98_df25)
        return product.high ^ product.low &+ word
    }

    private static func stir(_ word: UInt64) -> UInt64 {
        var z = word
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

public struct FastSigner: Signer {
    public let author: AuthorID

    init(author: AuthorID) { self.author = author }

    public init(number: Int) { self.init(author: AuthorID(words: Words32(UInt64(number) &+ 0xa000, 1, 2, 3))) }

    public func sign(_ message: [UInt8]) -> Signature {
        let hash = FastPrimitives().hash(author.bytes + message).bytes
        guard let signature = Signature(hash + hash) else { preconditionFailure("64 bytes are a signature") }
        return signature
    }
}
