import ArgumentParser
import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalWire

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Prints any of Gimbal's files as text: bundles, certificates, keys (their public half), data folders.",
        discussion: "Says what the bytes are, not whether they hold: that is what verify is for.")

    @Argument(help: "A file, or a data folder.") var file: String

    func run() async throws {
        try await reporting {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder) else {
                throw CommandFailure(code: "unreadable", sentence: "\(file) is not there")
            }
            if isFolder.boolValue { return try inspectFolder() }
            if file.hasSuffix(".key") {
                print("secret key of author \(try KeyFile.read(file).author.hex)")
                return
            }
            try inspectItems()
        }
    }

    private func inspectFolder() throws {
        let format = try? String(contentsOfFile: "\(file)/format", encoding: .utf8)
        guard let format else { throw CommandFailure(code: "data-not-gimbal", sentence: "\(file) is no data folder") }
        print("format   \(format.trimmingCharacters(in: .newlines))")
        if let link = FileManager.default.contents(atPath: "\(file)/replication.json") {
            print("follows  \(String(decoding: link, as: UTF8.self).split(separator: "\n").joined(separator: " "))")
        }
        for (title, folder) in [("key", "keys"), ("space", "spaces"), ("rescue", "rescue")] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(file)/\(folder)")) ?? []
            for name in names.sorted() {
                let path = "\(file)/\(folder)/\(name)"
                let author = folder == "keys" ? (try? KeyFile.read(path).author.hex).map { "  author \($0)" } : nil
                print("\(title.padding(toLength: 9, withPad: " ", startingAt: 0))\(name)\(author ?? "")")
            }
        }
    }

    /// A sequence of CBOR items, each in diagnostic notation (RFC 8949 §8), payloads of signatures decoded as well.
    private func inspectItems() throws {
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw CommandFailure(code: "unreadable", sentence: "\(file) cannot be read")
        }
        defer { try? handle.close() }
        var items = BundleSource { try handle.read(upToCount: 1 << 20).map { Array($0) } }
        while true {
            let start = items.offset
            do throws(WireError) {
                let item = try items.next()
                guard !item.isEmpty else { return }
                print("\(start): \(try CBORDiagnostic.text(item))")
            } catch {
                throw CommandFailure(code: error.code.rawValue, sentence: "at byte \(start + error.offset): \(error)")
            }
        }
    }
}
