import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird

/// What is kept of a space before a node leaves it.
enum RescueBundle {
    /// Everything of the base with its last checkpoint, and the outbox; durable before this returns.
    @concurrent
    static func write(_ node: NodeSpace, to path: String) async throws {
        guard let export = try node.export() else { return }
        let draft = try DurableFile.Draft(of: path)
        try export.write([.everything], includingOutbox: true) { try draft.append($0) }
        try draft.replace()
    }

    /// What was refused is in no bundle, which holds only what is signed: it is in the new copy's list, and here to be read.
    static func write(_ letters: [DeadLetter], beside bundle: String) throws {
        guard !letters.isEmpty else { return }
        try DurableFile.write(JSONValue.array(letters.map(LetterJSON.value)).write(), to: lettersPath(beside: bundle))
    }

    static func lettersPath(beside bundle: String) -> String { "\(bundle).deadletters.json" }
}

/// What an export or import is answered with that finds no room for its file.
extension DurableFile.Failure: HTTPResponseError {
    public var status: HTTPResponse.Status { .init(code: isFull ? 507 : 500) }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        refusal(
            status, isFull ? "temporary-full" : "temporary-failed",
            "a temporary file could not be written in the data folder: \(reason)")
    }
}

/// A file of the process, on the disk of its data. It has no name: when the process ends, however it does, the file is gone.
final class TemporaryFile: Sendable {
    private let descriptor: Int32

    init(in folder: DataFolder) throws(DurableFile.Failure) {
        let path = folder.temporaryPath()
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DurableFile.Failure(path) }
        unlink(path)
    }

    deinit { close(descriptor) }

    func append(_ bytes: some Sequence<UInt8>) throws(DurableFile.Failure) {
        try DurableFile.append(bytes, to: descriptor, "a temporary file")
    }

    /// Runs what writes the file and blocks, on a thread that may.
    @concurrent
    func fill(_ write: @Sendable (_ sink: ([UInt8]) throws -> Void) throws -> Void) async throws {
        try write { try append($0) }
    }

    /// Gives the file from its beginning, a piece at each call, and then nil.
    func reader(of pieceBytes: Int = 1 << 20) -> () throws -> [UInt8]? {
        var offset: off_t = 0
        return { [self] in
            let piece = try [UInt8](unsafeUninitializedCapacity: pieceBytes) { buffer, count in
                let read = pread(descriptor, buffer.baseAddress, pieceBytes, offset)
                guard read >= 0 else { throw DurableFile.Failure("a temporary file") }
                count = read
            }
            offset += off_t(piece.count)
            return piece.isEmpty ? nil : piece
        }
    }
}
