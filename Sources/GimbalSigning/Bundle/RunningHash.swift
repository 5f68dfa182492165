import CSodium
import GimbalCRDT

/// BLAKE2b-256 of a stream.
final class RunningHash {
    private let state: UnsafeMutableRawPointer

    init() {
        Sodium.prepare()
        guard let state = gimbal_hash_begin() else { preconditionFailure("no memory for a hash") }
        self.state = state
    }

    deinit { sodium_free(state) }

    func update(_ bytes: [UInt8]) {
        gimbal_hash_update(state, bytes, UInt64(bytes.count))
    }

    /// Call it once, at the end.
    func value() -> Digest {
        var output = [UInt8](repeating: 0, count: 32)
        gimbal_hash_value(state, &output)
        guard let digest = Digest(output) else { preconditionFailure("BLAKE2b-256 has 32 bytes") }
        return digest
    }
}
