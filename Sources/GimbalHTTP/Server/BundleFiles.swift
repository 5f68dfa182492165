import Foundation
import GimbalCRDT
import GimbalStore

/// Bundles on their way out of a server.
enum BundleStream {
    /// Writes a bundle to a sink that may wait, from a thread that may block: the reader's speed sets the pace.
    static func write(
        _ export: SpaceExport, _ patterns: [Pattern], to send: ([UInt8]) async throws -> Void
    ) async throws {
        let file = try TemporaryFile()
        defer { file.remove() }
        try await file.fill { sink in try export.write(patterns, to: sink) }
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
        defer { try? handle.close() }
        while let chunk = try handle.read(upToCount: 1 << 18), !chunk.isEmpty { try await send(Array(chunk)) }
    }
}

/// What is kept of a space before a node leaves it.
enum RescueBundle {
    /// Everything of the base with its last checkpoint, and the outbox; synced before this returns.
    static func write(_ node: NodeSpace, to path: String) async throws {
        guard let export = try node.export() else { return }
        let temporary = "\(path).new"
        let file = TemporaryFile(at: temporary)
        do {
            try await file.fill { sink in try export.write([.everything], includingOutbox: true, to: sink) }
        } catch {
            // Half a bundle would take the room that the next try needs.
            file.remove()
            throw error
        }
        try FileManager.default.moveItem(atPath: temporary, toPath: path)
        DataFolder.syncFolder(of: path)
    }
}

/// A file that is written in one go by something that blocks.
struct TemporaryFile: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("gimbal-\(UUID().uuidString).bundle").path
    }

    init(at path: String) { self.path = path }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    @concurrent
    func fill(_ write: @Sendable (([UInt8]) throws -> Void) throws -> Void) async throws {
        let handle = try create()
        defer { try? handle.close() }
        try write { try handle.write(contentsOf: $0) }
        try handle.synchronize()
    }

    /// Empty, and its owner's alone. Foundation would make a file of another name first, which a kill leaves behind.
    func create() throws -> FileHandle {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}
