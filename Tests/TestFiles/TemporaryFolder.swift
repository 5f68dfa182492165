#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

package struct SystemError: Error, CustomStringConvertible {
    package let description: String

    package init(_ action: String) { description = "\(action): \(String(cString: strerror(errno)))" }
}

/// A new folder, removed with everything in it when the last reference goes.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/gimbal-storage-XXXXXX\0".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in (try? names(path)) ?? [] {
            let child = "\(path)/\(name)"
            if unlink(child) != 0 { remove(child) }
        }
        rmdir(path)
    }

    package static func names(_ path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw SystemError("opendir \(path)") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// Whole files, for damaging them.
package enum File {
    package static func read(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw SystemError("open \(path)") }
        defer { close(file) }
        var content: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = systemRead(file, &part)
            guard count >= 0 else { throw SystemError("read \(path)") }
            if count == 0 { return content }
            content += part.prefix(count)
        }
    }

    package static func write(_ content: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw SystemError("create \(path)") }
        defer { close(file) }
        var rest = content[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(file, $0) }
            guard count > 0 else { throw SystemError("write \(path)") }
            rest = rest.dropFirst(count)
        }
    }
}

private func systemRead(_ file: Int32, _ part: inout [UInt8]) -> Int { read(file, &part, part.count) }
private func systemWrite(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int { write(file, bytes.baseAddress, bytes.count) }
