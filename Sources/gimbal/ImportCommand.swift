import ArgumentParser
import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalWire
import NIOCore
import NIOHTTP1

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Sends a bundle to the pivot of its space, or writes its values into another space.",
        discussion: """
            Without --as-new the bundle's deltas come into the log of their own space, as if their authors had sent them. With \
            it the values that the bundle shows are written to SERVER as new writes of that server.
            """)

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "A bundle file.") var file: String
    @OptionGroup var selection: SpaceSelection
    @Flag(help: "Write the values as new ones, into whatever space SERVER holds.") var asNew = false

    private struct Outcome: Decodable {
        var accepted: Int
        var alreadyThere: Int
        var incomplete: Int
        var refused: [String: Int]
    }

    func run() async throws {
        try await reporting {
            let bundle = try BundleFile(file)
            if let sentence = try bundle.whyNone() { throw CommandFailure(code: ForeignFile.code, sentence: sentence) }
            if asNew { return try await writeAsNew(bundle) }
            defer { bundle.close() }
            let reply = try await Server(server).upload(selection.target("/_gimbal/import"), from: bundle.handle)
            let outcome = try JSONDecoder().decode(Outcome.self, from: Data(reply.body.readableBytesView))
            print(
                "\(outcome.accepted) deltas accepted, \(outcome.alreadyThere) already there, \(outcome.incomplete) incomplete")
            for (verdict, count) in outcome.refused.sorted(by: { $0.key < $1.key }) { print("\(count) refused: \(verdict)") }
            if !outcome.refused.isEmpty { throw ExitCode(2) }
        }
    }

    // MARK: As new

    private func writeAsNew(_ bundle: BundleFile) async throws {
        var states: [Path: PathState] = [:]
        let report = try bundle.verify { operation in
            guard !operation.path.isReserved else { return }
            states[operation.path] = PathState.applying(operation.effect, to: states[operation.path])
        }
        guard report.isValid else {
            let first = report.findings.first { $0.severity == .error }
            throw CommandFailure(code: first?.code ?? "not-valid", sentence: first?.sentence ?? "the bundle does not hold")
        }
        let server = try Server(server)
        var written = 0
        // Oldest first, so that lists keep their order.
        let values = states.compactMap { path, state in state.visible.map { (path, $0) } }.sorted { $0.1.precedes($1.1) }
        for (path, write) in values {
            guard let value = write.value else { continue }
            _ = try await server.send(.POST, try Server.target(path.description), body: String(decoding: value, as: UTF8.self))
            written += 1
        }
        print("\(written) values written as new")
    }
}

/// A bundle on disk.
struct BundleFile {
    private let path: String
    let handle: FileHandle

    init(_ path: String) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure(code: "unreadable", sentence: "\(path) cannot be read")
        }
        self.path = path
        self.handle = handle
    }

    func close() { try? handle.close() }

    /// What the file is instead of a bundle; nil when it begins as one.
    func whyNone() throws -> String? {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            let isDatabase = FileManager.default.fileExists(atPath: "\(path)/CURRENT")
            return isDatabase
                ? "\(path) is a database's folder, such as LevelDB's, and no bundle: its values come over HTTP from the program that it belongs to, as docs/operations.md says"
                : "\(path) is a folder and no bundle: a bundle is one file, which gimbal export writes"
        }
        guard let beginning = try? handle.read(upToCount: ForeignFile.telling) ?? Data() else {
            throw CommandFailure(code: "unreadable", sentence: "\(path) cannot be read")
        }
        // What comes through a pipe cannot be read twice.
        guard (try? handle.seek(toOffset: 0)) != nil else { return nil }
        return ForeignFile(beginning: beginning).map { "\(path): \($0.sentence)" }
    }

    func verify(expectedSpace: SpaceID? = nil, visit: @escaping (ProvenOperation) -> Void) throws -> BundleReport {
        defer { close() }
        return BundleVerifier.verify(
            expectedSpace: expectedSpace, read: { try handle.read(upToCount: 1 << 20).map { Array($0) } }, visit: visit)
    }
}
