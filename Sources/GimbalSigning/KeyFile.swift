import Foundation
import GimbalCRDT

/// A secret key in a file that only its owner can read: a line that says what it is, then the seed as hexadecimal.
public enum KeyFile {
    private static let title = "gimbal secret key 1"

    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case missing(path: String, of: String)
        case unreadable(path: String, reason: String)
        case notAKey(path: String)
        case exposed(path: String, mode: String)
        case notWritable(path: String, reason: String)

        public var code: String {
            switch self {
            case .missing: "key-missing"
            case .unreadable: "key-unreadable"
            case .notAKey: "key-malformed"
            case .exposed: "key-exposed"
            case .notWritable: "key-not-writable"
            }
        }

        public var description: String {
            switch self {
            case .missing(let path, let owner): "the key file \(path) is not there, but \(owner)"
            case .unreadable(let path, let reason): "the key file \(path) cannot be read: \(reason)"
            case .notAKey(let path): "\(path) is not a Gimbal secret key"
            case .exposed(let path, let mode):
                "the key file \(path) can be read by others (mode \(mode)): run chmod 600 on it, and replace the key if it was seen"
            case .notWritable(let path, let reason): "the key file \(path) cannot be written: \(reason)"
            }
        }
    }

    /// Reads a key; refuses a file that others can read.
    public static func read(_ path: String) throws(Failure) -> SigningKey {
        guard let key = try readIfThere(path) else {
            throw .unreadable(path: path, reason: String(cString: strerror(ENOENT)))
        }
        return key
    }

    /// Nil only where there is no such file.
    public static func readIfThere(_ path: String) throws(Failure) -> SigningKey? {
        guard let (bytes, mode) = try contents(path) else { return nil }
        guard mode & 0o077 == 0 else { throw .exposed(path: path, mode: String(mode & 0o777, radix: 8)) }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count == 2, lines[0] == title, let seed = Hex.decode(lines[1]), let key = SigningKey(seed: seed) else {
            throw .notAKey(path: path)
        }
        return key
    }

    private static func contents(_ path: String) throws(Failure) -> (bytes: [UInt8], mode: mode_t)? {
        do {
            return try DurableFile.read(path)
        } catch {
            throw .unreadable(path: path, reason: error.reason)
        }
    }

    /// Writes a new key file with mode 0600, durably; never over an existing one.
    public static func create(_ path: String, _ key: SigningKey) throws(Failure) {
        do {
            try DurableFile.create(path, Array("\(title)\n\(Hex.encode(key.seed()))\n".utf8))
        } catch {
            throw .notWritable(path: path, reason: error.reason)
        }
    }

    /// The key in the file, made anew if there is none. Only for a key that nothing was signed with yet, if it is not there: an
    /// empty file is what a first start left that was cut off.
    public static func readOrCreate(_ path: String) throws(Failure) -> (key: SigningKey, isNew: Bool) {
        if let (bytes, _) = try contents(path), bytes.isEmpty { unlink(path) }
        if let key = try readIfThere(path) { return (key, false) }
        let key = SigningKey.generate()
        try create(path, key)
        return (key, true)
    }
}
