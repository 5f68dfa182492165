import Foundation

/// The one way in which files are read, written and replaced in a folder that must outlive a power cut: a file is whole or not
/// there, and what was replaced is there until the new one is durable.
public enum DurableFile {
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var path: String
        /// As `errno` has it.
        public var number: Int32

        public var reason: String { String(cString: strerror(number)) }
        public var description: String { "\(path): \(reason)" }

        /// Whether there is no room: it may come again.
        public var isFull: Bool { number == ENOSPC || number == EDQUOT }

        public init(_ path: String, _ number: Int32 = errno) { (self.path, self.number) = (path, number) }
    }

    /// No small file of ours is near that long.
    private static let mostBytes = 1 << 20

    /// What a small file holds, and its mode; nil only where there is no such file. Whatever else keeps it from being read is an
    /// error: a file that cannot be read must never pass for one that is missing.
    public static func read(_ path: String) throws(Failure) -> (bytes: [UInt8], mode: mode_t)? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw Failure(path)
        }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw Failure(path) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw Failure(path, EINVAL) }
        guard facts.st_size <= mostBytes else { throw Failure(path, EFBIG) }
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { bytes in
                pread(descriptor, bytes.baseAddress?.advanced(by: filled), bytes.count - filled, off_t(filled))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(path)
            }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(bytes.count - filled)
        return (bytes, facts.st_mode & 0o7777)
    }

    /// Replaces the file; after a crash at any moment it holds what it held before, or all of `bytes`. Only its owner can read
    /// it.
    public static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let draft = try Draft(of: path)
        try draft.append(bytes)
        try draft.replace()
    }

    /// Makes a new file, never over one that is there: then it fails with `EEXIST`.
    public static func create(_ path: String, _ bytes: [UInt8]) throws(Failure) {
        let draft = try Draft(of: path)
        try draft.append(bytes)
        try draft.placeAnew()
    }

    /// A file on its way, under a name that ends in `.new`: what a crash leaves of it is nobody's.
    public final class Draft {
        private let path: String
        private let descriptor: Int32
        private var isPlaced = false

        private var temporary: String { "\(path).new" }

        public init(of path: String) throws(Failure) {
            self.path = path
            unlink("\(path).new")
            descriptor = open("\(path).new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Failure("\(path).new") }
        }

        deinit {
            if !isPlaced { unlink(temporary) }
            close(descriptor)
        }

        public func append(_ bytes: some Sequence<UInt8>) throws(Failure) {
            try DurableFile.append(bytes, to: descriptor, path)
        }

        /// Puts it under its name, in the place of what was there.
        public func replace() throws(Failure) {
            guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw Failure(path) }
            isPlaced = true
            try syncFolder(of: path)
        }

        /// Puts it under its name, which must be free.
        func placeAnew() throws(Failure) {
            guard fsync(descriptor) == 0 else { throw Failure(path) }
            if link(temporary, path) == 0 {
                unlink(temporary)
            } else {
                // File systems without hard links.
                guard errno != EEXIST, access(path, F_OK) != 0, rename(temporary, path) == 0 else {
                    throw Failure(path, errno == 0 ? EEXIST : errno)
                }
            }
            isPlaced = true
            try syncFolder(of: path)
        }
    }

    /// Writes all bytes to the open file, however many calls the system needs for them; `path` only names the file in an error.
    public static func append(_ bytes: some Sequence<UInt8>, to descriptor: Int32, _ path: String) throws(Failure) {
        let bytes = Array(bytes)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Foundation.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            guard count >= 0 || errno == EINTR else { throw Failure(path) }
            written += max(count, 0)
        }
    }

    /// Makes the names in a file's folder durable.
    public static func syncFolder(of path: String) throws(Failure) {
        let folder = parent(of: path)
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(folder) }
        defer { close(descriptor) }
        // Some network file systems know no such thing.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw Failure(folder) }
    }

    /// Makes a folder that only its owner can enter, and those above it that are missing; one that is there stays as it is.
    public static func createFolder(_ path: String) throws(Failure) {
        if mkdir(path, 0o700) != 0 {
            switch errno {
            case EEXIST:
                var facts = stat()
                guard stat(path, &facts) == 0 else { throw Failure(path) }
                guard facts.st_mode & S_IFMT == S_IFDIR else { throw Failure(path, ENOTDIR) }
                return
            case ENOENT where parent(of: path) != path:
                try createFolder(parent(of: path))
                guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Failure(path) }
            default: throw Failure(path)
            }
        }
        do {
            try syncFolder(of: path)
        } catch {
            // The folder above may be one that this user may write and not read.
            guard error.number == EACCES else { throw error }
        }
    }

    private static func parent(of path: String) -> String {
        let parent = (path as NSString).deletingLastPathComponent
        return parent.isEmpty ? "." : parent
    }
}
