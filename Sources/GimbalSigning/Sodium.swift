import CSodium
import GimbalCRDT
import GimbalWire

/// libsodium, made ready before its first use.
enum Sodium {
    private static let isReady = sodium_init() >= 0

    static func prepare() {
        precondition(isReady, "libsodium cannot start: no source of randomness")
    }
}

/// The primitives of the wire formats, by libsodium: BLAKE2b (RFC 7693) and Ed25519 (RFC 8032).
public struct SodiumPrimitives: Primitives {
    public init() { Sodium.prepare() }

    public func hash(prefix: UInt8?, _ bytes: Span<UInt8>) -> Digest {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { output in
            let start = output.assumingMemoryBound(to: UInt8.self).baseAddress
            bytes.withUnsafeBufferPointer { input in
                if let prefix {
                    gimbal_hash_with_prefix(start, prefix, input.baseAddress, UInt64(input.count))
                } else if let start {
                    crypto_generichash(start, 32, input.baseAddress, UInt64(input.count), nil, 0)
                }
            }
            func word(_ index: Int) -> UInt64 { UInt64(bigEndian: output.load(fromByteOffset: index * 8, as: UInt64.self)) }
            return Digest(words: Words32(word(0), word(1), word(2), word(3)))
        }
    }

    public func wideHash(_ bytes: Span<UInt8>) -> SIMD8<UInt64> {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { output in
            bytes.withUnsafeBufferPointer { input in
                if let start = output.assumingMemoryBound(to: UInt8.self).baseAddress {
                    crypto_generichash(start, 64, input.baseAddress, UInt64(input.count), nil, 0)
                }
            }
            var words = SIMD8<UInt64>()
            for index in 0..<8 {
                words[index] = UInt64(littleEndian: output.load(fromByteOffset: index * 8, as: UInt64.self))
            }
            return words
        }
    }

    public func verify(_ signature: Signature, of message: [UInt8], by author: AuthorID) -> Bool {
        crypto_sign_verify_detached(signature.bytes, message, UInt64(message.count), author.bytes) == 0
    }

    /// SHA-512, for `Content-Digest` (RFC 9530).
    public func sha512(_ bytes: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 64)
        crypto_hash_sha512(&output, bytes, UInt64(bytes.count))
        return output
    }

    /// Bytes from the system's generator, fit for keys and nonces.
    public func randomBytes(_ count: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        randombytes_buf(&output, count)
        return output
    }

    public func randomWord() -> UInt64 {
        randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
