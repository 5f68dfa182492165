import Foundation
import GimbalCRDT
import GimbalRocksDB
import GimbalSigning
import GimbalStorage
import GimbalWire

/// The folder in which one process keeps everything: keys, one database a space, and the lock that keeps others out.
///
/// ```
/// lock           held while a process uses the folder
/// format         version of this layout
/// keys/          secret keys, 0600
/// spaces/NAME/   one RocksDB each
/// rescue/        bundles written before a wipe
/// claims.json    which paths the space owns, in a process that holds several
/// space/NAME/    such a folder of its own for each space that names no other
/// operator.sock  the operator's door of a running server, 0600
/// ```
public final class DataFolder: Sendable {
    public let path: String
    private let lock: Int32

    private static let format = "gimbal data 1\n"

    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case inUse(path: String)
        case notWritable(path: String, reason: String)
        case notADataFolder(path: String)
        case newerFormat(path: String, found: String)
        case otherProgram(path: String, program: Program)

        public var code: String {
            switch self {
            case .inUse: "data-in-use"
            case .notWritable: "data-not-writable"
            case .notADataFolder: "data-not-gimbal"
            case .newerFormat: "data-newer-format"
            case .otherProgram: "data-other-program"
            }
        }

        public var description: String {
            switch self {
            case .inUse(let path): "the data folder \(path) is in use by another process"
            case .notWritable(let path, let reason): "the data folder \(path) cannot be written: \(reason)"
            case .notADataFolder(let path): "\(path) holds other files and is not a Gimbal data folder: choose an empty folder"
            case .newerFormat(let path, let found):
                "the data folder \(path) was written by a newer Gimbal (\(found)): use that version"
            case .otherProgram(let path, let program):
                "the data folder \(path) belongs to a \(program.rawValue): choose another folder"
            }
        }
    }

    /// Opens the folder, or lays out an empty one, and keeps other processes out until this object goes.
    public init(_ path: String) throws(Failure) {
        self.path = path
        do {
            for folder in ["", "keys", "spaces", "rescue"] {
                try FileManager.default.createDirectory(
                    atPath: "\(path)/\(folder)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw .notWritable(path: path, reason: error.localizedDescription)
        }
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: path, reason: String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Foundation.close(descriptor)
            throw .inUse(path: path)
        }
        lock = descriptor
        try checkFormat()
    }

    deinit { close(lock) }

    /// Lets others in before this object goes: for a process that has closed everything in the folder and goes on.
    public func unlock() { flock(lock, LOCK_UN) }

    private func checkFormat() throws(Failure) {
        let file = "\(path)/format"
        guard let found = try? String(contentsOfFile: file, encoding: .utf8) else {
            let known: Set = ["lock", "keys", "spaces", "rescue"]
            let others = (try? FileManager.default.contentsOfDirectory(atPath: path))?.filter { !known.contains($0) }
            guard others?.isEmpty ?? false else { throw .notADataFolder(path: path) }
            do {
                try Self.writeDurably(Array(Self.format.utf8), to: file)
            } catch {
                throw .notWritable(path: path, reason: "\(error)")
            }
            return
        }
        guard found == Self.format else {
            throw found.hasPrefix("gimbal data ")
                ? .newerFormat(path: path, found: found.trimmingCharacters(in: .newlines)) : .notADataFolder(path: path)
        }
    }

    /// Whose data a folder holds.
    public enum Program: String, Sendable {
        case pivot, node
    }

    /// Refuses a folder in which the other program keeps its data.
    public func require(_ program: Program) throws(Failure) {
        let (other, sign): (Program, String) =
            switch program {
            case .pivot: (.node, SpaceLink.fileName)
            case .node: (.pivot, "\(LedSpace.replicatedName).certificate")
            }
        if FileManager.default.fileExists(atPath: "\(path)/\(sign)") { throw .otherProgram(path: path, program: other) }
    }

    public func keyPath(_ name: String) -> String { "\(path)/keys/\(name).key" }

    public func key(_ name: String) throws(KeyFile.Failure) -> (key: SigningKey, isNew: Bool) {
        try KeyFile.readOrCreate(keyPath(name))
    }

    public func openSpace(_ name: String, options: RocksDBOptions = .init()) throws(StorageError) -> RocksDBEngine {
        try RocksDBEngine(folder: "\(path)/spaces/\(name)", options: options)
    }

    public func spaceExists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/spaces/\(name)") }

    /// A new name for the database of a space that is followed.
    public static func followedName(_ space: SpaceID, random: UInt64) -> String {
        "\(space.hex.prefix(16))-\(String(random, radix: 16))"
    }

    /// Removes the databases of all followed spaces but this one, and unfinished rescue bundles: what a pivot change that
    /// was cut off left behind. Spaces that are led have other names and stay.
    public func removeFollowedSpaces(except kept: String?) {
        remove(in: "spaces") { $0 != kept && $0.wholeMatch(of: /[0-9a-f]{16}-[0-9a-f]+/) != nil }
        remove(in: "rescue") { $0.hasSuffix(".bundle.new") }
    }

    private func remove(in folder: String, where isLeftOver: (String) -> Bool) {
        let found = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? []
        for name in found where isLeftOver(name) { try? FileManager.default.removeItem(atPath: "\(path)/\(folder)/\(name)") }
    }

    /// A file of the folder that is replaced as a whole.
    public func readFile(_ name: String) -> [UInt8]? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map { Array($0) }
    }

    public func writeFile(_ name: String, _ bytes: [UInt8]) throws(Failure) {
        do {
            try Self.writeDurably(bytes, to: "\(path)/\(name)")
        } catch {
            throw .notWritable(path: "\(path)/\(name)", reason: "\(error)")
        }
    }

    /// After a crash at any moment the file holds either what it held before or all of `bytes`.
    static func writeDurably(_ bytes: [UInt8], to path: String) throws {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        let reason = errno
        close(descriptor)
        guard isWritten, rename(temporary, path) == 0 else { throw POSIXError(.init(rawValue: reason) ?? .EIO) }
        syncFolder(of: path)
    }

    /// Makes the names in a file's folder durable.
    public static func syncFolder(of path: String) {
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    /// Where a running server listens for its operator.
    public var operatorSocketPath: String { OperatorSocketPath.inFolder(path) }
}
