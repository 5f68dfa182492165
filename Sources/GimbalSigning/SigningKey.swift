import CSodium
import GimbalCRDT
import GimbalWire

/// An Ed25519 secret key. Its memory is locked, guarded and wiped by libsodium; it leaves the process only as a file that
/// its owner alone can read.
///
/// `@unchecked Sendable`: the pointer is set once in `init`, its memory is read-only from then on (`sodium_mprotect_readonly`)
/// and freed in `deinit` alone, so any number of threads may sign at once.
public final class SigningKey: Signer, @unchecked Sendable {
    public let author: AuthorID
    private let secret: UnsafeMutablePointer<UInt8>

    private static let secretByteCount = 64
    public static let seedByteCount = 32

    /// Nil unless the seed has 32 bytes, or when no guarded memory can be had.
    public init?(seed: [UInt8]) {
        Sodium.prepare()
        guard seed.count == Self.seedByteCount, let memory = sodium_malloc(Self.secretByteCount) else { return nil }
        let secret = memory.assumingMemoryBound(to: UInt8.self)
        var publicKey = [UInt8](repeating: 0, count: 32)
        crypto_sign_seed_keypair(&publicKey, secret, seed)
        guard let author = AuthorID(publicKey) else { return nil }
        sodium_mprotect_readonly(memory)
        self.author = author
        self.secret = secret
    }

    /// A new random key.
    public static func generate() -> SigningKey {
        guard let key = SigningKey(seed: SodiumPrimitives().randomBytes(seedByteCount)) else {
            preconditionFailure("no guarded memory for a key")
        }
        return key
    }

    deinit { sodium_free(secret) }

    public func sign(_ message: [UInt8]) -> Signature {
        var bytes = [UInt8](repeating: 0, count: Signature.byteCount)
        crypto_sign_detached(&bytes, nil, message, UInt64(message.count), secret)
        guard let signature = Signature(bytes) else { preconditionFailure("Ed25519 has 64 bytes") }
        return signature
    }

    /// What `init(seed:)` took.
    func seed() -> [UInt8] {
        var seed = [UInt8](repeating: 0, count: Self.seedByteCount)
        crypto_sign_ed25519_sk_to_seed(&seed, secret)
        return seed
    }
}
