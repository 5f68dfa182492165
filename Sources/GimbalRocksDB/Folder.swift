import GimbalStorage

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The folder of a database, before RocksDB touches it.
struct Folder {
    let path: String

    /// Creates it, only for this user, when it is missing; its parent must exist.
    func create() throws(StorageError) {
        if mkdir(path, 0o700) == 0 {
            // RocksDB makes durable what is in the folder, not that the folder is there.
            try synchronizeParent()
        } else if errno != EEXIST {
            throw error("create folder")
        }
    }

    /// Throws when data files lie here without the file that names the current ones. RocksDB would take the folder
    /// for an empty one, start afresh and delete them.
    func refuseHeadlessData() throws(StorageError) {
        let names = try names()
        if names.contains("CURRENT") { return }
        if let orphan = names.first(where: { $0.hasSuffix(".sst") || $0.hasSuffix(".log") }) {
            throw .corrupt(reason: "\(path) has data (\(orphan)) but no file CURRENT")
        }
    }

    func names() throws(StorageError) -> [String] {
        guard let stream = opendir(path) else { throw error("read folder") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names
    }

    private func synchronizeParent() throws(StorageError) {
        let parent = open("\(path)/..", O_RDONLY | O_CLOEXEC)
        guard parent >= 0 else { throw error("open the parent of") }
        defer { _ = Self.closeFile(parent) }
        if fsync(parent) != 0 { throw error("make durable") }
    }

    private static func closeFile(_ file: Int32) -> Int32 { close(file) }

    private func error(_ action: String) -> StorageError {
        let number = errno
        let reason = "\(action) \(path): \(String(cString: strerror(number)))"
        return switch number {
        case ENOSPC, EDQUOT: .full(reason: reason)
        case EACCES, EPERM, EROFS, ENOENT, ENOTDIR: .notWritable(reason: reason)
        default: .failed(reason: reason)
        }
    }
}
