import ArgumentParser
import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalWire
import NIOCore
import NIOHTTP1

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a bundle of keys with their proofs, to be verified anywhere.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Patterns or keys; everything by default.") var patterns: [String] = []
    @OptionGroup var selection: SpaceSelection
    @Option(help: "The file to write.") var output: String

    func run() async throws {
        try await reporting {
            let query = patterns.map { "pattern=\($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? $0)" }
            let target = selection.target("/_gimbal/export" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
            do {
                // What it holds may be secret: the file is its owner's alone.
                let draft = try DurableFile.Draft(of: output)
                try await Server(server).stream(target) { try draft.append($0.readableBytesView) }
                try draft.replace()
            } catch let error as DurableFile.Failure {
                throw CommandFailure(code: "not-writable", sentence: "\(output) cannot be written: \(error.reason)")
            }
        }
    }
}

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks a bundle with no server, network or data folder.",
        discussion: """
            Prints who wrote each value and when, what was found, and a summary. The exit status is 0 only when all holds.
            """)

    @Argument(help: "A bundle file.") var file: String
    @Option(help: "The space that the bundle must be of.") var space: String?
    @Flag(help: "As JSON, for machines.") var json = false

    func run() async throws {
        try await reporting {
            let expected = try space.map { text in
                guard let space = SpaceID(hex: text) else {
                    throw CommandFailure(code: "usage", sentence: "--space takes 64 hexadecimal digits")
                }
                return space
            }
            let bundle = try BundleFile(file)
            if !json, let sentence = try bundle.whyNone() {
                FileHandle.standardError.write(Data("error [\(ForeignFile.code)]: \(sentence)\n".utf8))
                throw ExitCode(2)
            }
            let report = try bundle.verify(expectedSpace: expected) { operation in
                if !json { print(Self.line(operation)) }
            }
            if json { try Self.printJSON(report) } else { Self.printSummary(report) }
            if !report.isValid { throw ExitCode(2) }
        }
    }

    private static func line(_ operation: ProvenOperation) -> String {
        let time = Date(timeIntervalSince1970: Double(operation.stamp.milliseconds) / 1000).formatted(.iso8601)
        let place = operation.position.map { "at \($0)" } ?? "not in the log"
        let value = operation.value.map { String(decoding: $0.prefix(200), as: UTF8.self) } ?? "deleted"
        return "\(operation.path)  by \(operation.dot.replica.author)  \(time)  \(place)  \(value)"
    }

    private static func printSummary(_ report: BundleReport) {
        for finding in report.findings {
            print("\(finding.severity.rawValue) [\(finding.code)] at byte \(finding.offset): \(finding.sentence)")
        }
        print(
            "\(report.isValid ? "valid" : "NOT VALID"): \(report.operationCount) operations of \(report.authors.count) authors in \(report.entryCount) log entries and \(report.unplacedCount) unsent deltas"
        )
        if let space = report.space { print("space \(space)") }
        if let checkpoint = report.checkpoint { print("as of position \(checkpoint.position), epoch \(checkpoint.epoch)") }
    }

    private struct Summary: Encodable {
        struct Finding: Encodable {
            var severity: String
            var code: String
            var offset: Int
            var sentence: String
        }
        var valid: Bool
        var space: String?
        var pivot: String?
        var position: UInt64?
        var operations: UInt64
        var entries: UInt64
        var unplaced: UInt64
        var authors: [String]
        var findings: [Finding]
    }

    private static func printJSON(_ report: BundleReport) throws {
        let summary = Summary(
            valid: report.isValid, space: report.space?.hex, pivot: report.pivot?.hex, position: report.checkpoint?.position,
            operations: report.operationCount, entries: report.entryCount, unplaced: report.unplacedCount,
            authors: report.authors.map(\.hex).sorted(),
            findings: report.findings.map {
                .init(severity: $0.severity.rawValue, code: $0.code, offset: $0.offset, sentence: $0.sentence)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        print(String(decoding: try encoder.encode(summary), as: UTF8.self))
    }
}
