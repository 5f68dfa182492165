import Foundation
import GimbalCRDT

/// A secret key in a file that only its owner can read: a line that says what it is, then the seed as hexadecimal.
public enum KeyFile {
    private static let title = "gimbal secret key 1"

    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case unreadable(path: String, reason: String)
        case notAKey(path: String)
        case exposed(path: String, mode: String)
        case notWritable(path: String, reason: String)

        public var code: String {
            switch self {
            case .unreadable: "key-unreadable"
            case .notAKey: "key-malformed"
            case .exposed: "key-exposed"
            case .notWritable: "key-not-writable"
            }
        }

        public var description: String {
            switch self {
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
        let text: String
        let mode: Int
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
            mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0o777
        } catch {
            throw .unreadable(path: path, reason: error.localizedDescription)
        }
        guard mode & 0o077 == 0 else { throw .exposed(path: path, mode: String(mode & 0o777, radix: 8)) }
        let lines = text.split(separator: "\n")
        guard lines.count == 2, lines[0] == title, let seed = Hex.decode(lines[1]), let key = SigningKey(seed: seed) else {
            throw .notAKey(path: path)
        }
        return key
    }

    /// Writes a new key file with mode 0600, synced; never over an existing one.
    public static func create(_ path: String, _ key: SigningKey) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let text = Array("\(title)\n\(Hex.encode(key.seed()))\n".utf8)
        guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(path)
            throw .notWritable(path: path, reason: reason)
        }
    }

    /// The key in the file, made anew if there is none.
    public static func readOrCreate(_ path: String) throws(Failure) -> (key: SigningKey, isNew: Bool) {
        if FileManager.default.fileExists(atPath: path) { return (try read(path), false) }
        let key = SigningKey.generate()
        try create(path, key)
        return (key, true)
    }
}
