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
/// tmp/           of the running process alone: emptied at each start
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
        /// A file that is there and cannot be read must never pass for one that is missing.
        case unreadable(path: String, reason: String)
        case damaged(path: String, advice: String)
        case formatMissing(path: String)
        case exposed(path: String, mode: String)
        case severalCopies(path: String, copies: [String])

        public var code: String {
            switch self {
            case .inUse: "data-in-use"
            case .notWritable: "data-not-writable"
            case .notADataFolder: "data-not-gimbal"
            case .newerFormat: "data-newer-format"
            case .otherProgram: "data-other-program"
            case .unreadable: "data-unreadable"
            case .damaged: "data-damaged"
            case .formatMissing: "data-format-missing"
            case .exposed: "data-exposed"
            case .severalCopies: "data-ambiguous"
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
            case .unreadable(let path, let reason):
                "\(path) cannot be read: \(reason). Nothing was changed; the file must be readable for this user, or gone"
            case .damaged(let path, let advice): "\(path) is damaged. Nothing was changed; \(advice)"
            case .formatMissing(let path):
                "the data folder \(path) holds Gimbal's data but no file \"format\". Nothing was changed; put the file back from a backup"
            case .exposed(let path, let mode):
                "others may write to the folder \(path) (mode \(mode)): run chmod go-w on it, or name a folder inside of it"
            case .severalCopies(let path, let copies):
                "\(path) holds several copies (\(copies.joined(separator: ", "))) and \(SpaceLink.fileName) does not say which one is followed. Nothing was changed; put that file back, or move all copies but one away"
            }
        }
    }

    /// Its folders that others may look into: no danger to the files in them, which are their owner's alone, but seldom meant.
    public let readableByOthers: [String]

    /// Opens the folder, or lays out an empty one, and keeps other processes out until this object goes.
    public init(_ path: String) throws(Failure) {
        self.path = path
        try Self.making(path) { () throws(DurableFile.Failure) in try DurableFile.createFolder(path) }
        // Nothing is put into a folder that is somebody else's.
        _ = try Self.isLaidOut(path)
        var readable: [String] = []
        for folder in [path, "\(path)/keys"] where try Self.isReadableByOthers(folder) { readable.append(folder) }
        readableByOthers = readable
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: path, reason: String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Foundation.close(descriptor)
            throw .inUse(path: path)
        }
        lock = descriptor
        try layOut()
        removeLeftovers()
    }

    deinit { close(lock) }

    /// Lets others in before this object goes: for a process that has closed everything in the folder and goes on.
    public func unlock() { flock(lock, LOCK_UN) }

    /// The format comes first: what else is there was made by a process that had written it.
    private func layOut() throws(Failure) {
        let isLaidOut = try Self.isLaidOut(path)
        try Self.making(path) { () throws(DurableFile.Failure) in
            if !isLaidOut { try DurableFile.write(Array(Self.format.utf8), to: "\(path)/format") }
            for folder in Self.folders { try DurableFile.createFolder("\(path)/\(folder)") }
        }
    }

    private static let folders = ["keys", "spaces", "rescue", "tmp"]

    /// False for a folder in which a first start may begin: an empty one, or one in which another was cut off.
    private static func isLaidOut(_ path: String) throws(Failure) -> Bool {
        if let (bytes, _) = try reading("\(path)/format"), !bytes.isEmpty {
            let found = String(decoding: bytes, as: UTF8.self)
            if found == format { return true }
            throw found.hasPrefix("gimbal data ")
                ? .newerFormat(path: path, found: found.trimmingCharacters(in: .newlines)) : .notADataFolder(path: path)
        }
        let names = try names(in: path).filter { !$0.hasSuffix(".new") }
        let harmless = folders + ["lock", "format", "lost+found"]
        let ours = harmless + [SpaceLink.fileName, StoredClaims.fileName, "space", "operator.sock"]
        guard names.allSatisfy({ ours.contains($0) || $0.hasSuffix(".certificate") || $0.hasSuffix(".lost") }) else {
            throw .notADataFolder(path: path)
        }
        let hasData = names.contains("spaces") ? try !Self.names(in: "\(path)/spaces").isEmpty : false
        if hasData || names.contains(where: { !harmless.contains($0) }) { throw .formatMissing(path: path) }
        return false
    }

    private static func isReadableByOthers(_ path: String) throws(Failure) -> Bool {
        var facts = stat()
        guard stat(path, &facts) == 0 else {
            if errno == ENOENT { return false }
            throw .unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        guard facts.st_mode & 0o022 == 0 else {
            throw .exposed(path: path, mode: String(facts.st_mode & 0o777, radix: 8))
        }
        return facts.st_mode & 0o055 != 0
    }

    /// What an earlier process was about when it was killed.
    private func removeLeftovers() {
        for name in (try? Self.names(in: "\(path)/tmp")) ?? [] {
            try? FileManager.default.removeItem(atPath: "\(path)/tmp/\(name)")
        }
        for folder in [path, "\(path)/keys", "\(path)/rescue"] {
            for name in (try? Self.names(in: folder)) ?? [] where name.hasSuffix(".new") { unlink("\(folder)/\(name)") }
        }
    }

    private static func names(in folder: String) throws(Failure) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw .unreadable(path: folder, reason: error.localizedDescription)
        }
    }

    private static func making<Value>(
        _ path: String, _ body: () throws(DurableFile.Failure) -> Value
    ) throws(Failure) -> Value {
        do {
            return try body()
        } catch {
            throw .notWritable(path: path, reason: error.path == path ? error.reason : "\(error)")
        }
    }

    private static func reading(_ file: String) throws(Failure) -> (bytes: [UInt8], mode: mode_t)? {
        do {
            return try DurableFile.read(file)
        } catch {
            throw .unreadable(path: file, reason: error.reason)
        }
    }

    /// Whose data a folder holds.
    public enum Program: String, Sendable {
        case pivot, node
    }

    /// Refuses a folder in which the other program keeps its data.
    public func require(_ program: Program) throws(Failure) {
        let other: Program = program == .pivot ? .node : .pivot
        let isOthers =
            switch other {
            case .node: [try has(SpaceLink.fileName), try !followedSpaces().isEmpty]
            case .pivot:
                [try has("\(LedSpace.replicatedName).certificate"), try has("spaces/\(LedSpace.replicatedName)")]
            }
        if isOthers.contains(true) { throw .otherProgram(path: path, program: other) }
    }

    /// Whether there is something of this name, whoever may read it.
    func has(_ name: String) throws(Failure) -> Bool {
        var facts = stat()
        if lstat("\(path)/\(name)", &facts) == 0 { return true }
        if errno == ENOENT { return false }
        throw .unreadable(path: "\(path)/\(name)", reason: String(cString: strerror(errno)))
    }

    public func keyPath(_ name: String) -> String { "\(path)/keys/\(name).key" }

    /// A key, made if there is none: only for one that nothing was signed with yet.
    public func key(_ name: String) throws(KeyFile.Failure) -> (key: SigningKey, isNew: Bool) {
        try KeyFile.readOrCreate(keyPath(name))
    }

    // MARK: Databases

    public func openSpace(_ name: String, options: RocksDBOptions = .init()) throws(StorageError) -> RocksDBEngine {
        try RocksDBEngine(folder: "\(path)/spaces/\(name)", options: options)
    }

    public func spaceExists(_ name: String) throws(Failure) -> Bool { try has("spaces/\(name)") }

    /// A new name for the database of a space that is followed.
    static func followedName(_ space: SpaceID, random: UInt64) -> String {
        "\(space.hex.prefix(16))-\(String(random, radix: 16))"
    }

    /// The databases of followed spaces, by name. Spaces that are led have other names.
    func followedSpaces() throws(Failure) -> [String] {
        try Self.names(in: "\(path)/spaces").filter { $0.wholeMatch(of: /[0-9a-f]{16}-[0-9a-f]+/) != nil }.sorted()
    }

    /// Removes a database that is closed: first in one step from where it is looked for, so that no half of it is found.
    func removeSpace(_ name: String) throws(Failure) {
        let place = "\(path)/spaces/\(name)"
        let away = "\(path)/tmp/\(name)"
        let isAway = rename(place, away) == 0
        guard isAway || errno != ENOENT else { return }
        do {
            if isAway { try DurableFile.syncFolder(of: place) }
            try FileManager.default.removeItem(atPath: isAway ? away : place)
        } catch {
            throw .notWritable(path: place, reason: "\(error)")
        }
    }

    // MARK: Small files

    /// A file of the folder that is replaced as a whole; nil only where there is none.
    public func readFile(_ name: String) throws(Failure) -> [UInt8]? { try Self.reading("\(path)/\(name)")?.bytes }

    public func writeFile(_ name: String, _ bytes: [UInt8]) throws(Failure) {
        let file = "\(path)/\(name)"
        try Self.making(file) { () throws(DurableFile.Failure) in try DurableFile.write(bytes, to: file) }
    }

    /// A name for a file that is of no use after this process: on the disk of the data, and gone at the next start.
    public func temporaryPath() -> String { "\(path)/tmp/\(UUID().uuidString)" }

    /// Where a running server listens for its operator.
    public var operatorSocketPath: String { OperatorSocketPath.inFolder(path) }
}
