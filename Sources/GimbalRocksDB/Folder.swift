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

    /// Throws what keeps RocksDB from opening a database here: it makes files, needs descriptors for them, and writes what its
    /// logs hold into tables.
    func checkWritable() throws(StorageError) {
        let probe = "\(path)/probe\(StagedFile.suffix)"
        let file = open(probe, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw error("create a file in") }
        defer {
            unlink(probe)
            _ = Self.closeFile(file)
        }
        var status = statvfs()
        guard fstatvfs(file, &status) == 0 else { throw error("ask for the room on the disk of") }
        let free = UInt64(status.f_bavail) &* UInt64(status.f_frsize)
        let logs = try names().filter { $0.hasSuffix(".log") }.reduce(UInt64(0)) { $0 &+ bytes(of: $1) }
        guard free >= logs &+ Self.roomBytes else {
            throw .full(reason: "\(path) has \(free) bytes left, and \(logs &+ Self.roomBytes) are needed")
        }
        var content = [UInt8](repeating: 1, count: 64 << 10)[...]
        while !content.isEmpty {
            let count = content.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw error("write to") }
            content = content.dropFirst(count)
        }
        guard fsync(file) == 0 else { throw error("make durable what is in") }
        try checkDescriptors(like: file)
    }

    private static let roomBytes: UInt64 = 1 << 20
    /// About what an open needs beyond what closing gives back.
    private static let descriptors = 32

    private func checkDescriptors(like file: Int32) throws(StorageError) {
        var copies: [Int32] = []
        defer { for copy in copies { _ = Self.closeFile(copy) } }
        for _ in 0..<Self.descriptors {
            let copy = dup(file)
            guard copy >= 0 else { throw error("open another file in") }
            copies.append(copy)
        }
    }

    private func bytes(of name: String) -> UInt64 {
        var status = stat()
        return stat("\(path)/\(name)", &status) == 0 ? UInt64(clamping: status.st_size) : 0
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
