#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A small file system in memory, for tests of what happens when it is full or takes no writes. Linux, as root.
package final class TemporaryDisk: Sendable {
    /// Whether this process may mount; tests that need it are skipped, with that reason, elsewhere.
    package static let isAvailable: Bool = {
        (try? TemporaryDisk(megabytes: 1)) != nil
    }()
    package static let reason = "a temporary file system can only be mounted on Linux, as root"

    private let folder: TemporaryFolder
    package var path: String { folder.path }

    #if os(Linux)
        package init(megabytes: Int) throws {
            folder = try TemporaryFolder()
            guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { throw SystemError("mount") }
        }

        deinit { umount2(folder.path, Int32(MNT_DETACH)) }

        package func refuseWrites() throws {
            let flags = UInt(MS_REMOUNT | MS_RDONLY)
            guard mount("tmpfs", path, "tmpfs", flags, nil) == 0 else { throw SystemError("remount") }
        }
    #else
        package init(megabytes: Int) throws {
            throw SystemError("mount")
        }

        package func refuseWrites() throws {}
    #endif

    /// Leaves `bytes` free, in steps of a page.
    package func fill(leaving bytes: Int) throws {
        let content = [UInt8](repeating: 1, count: try freeBytes() - bytes)
        try File.write(content, to: "\(path)/filler")
    }

    package func empty() { unlink("\(path)/filler") }

    private func freeBytes() throws -> Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw SystemError("statvfs") }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }
}
