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
        try await file.fill { sink in try export.write([.everything], includingOutbox: true, to: sink) }
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
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw CocoaError(.fileWriteUnknown)
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        try write { try handle.write(contentsOf: $0) }
        try handle.synchronize()
    }
}
