import Foundation

/// The temporary folder of a run and every process that it started. Closing it ends the processes and removes the folder.
final class Workbench {
    let folder: String
    private var children: [ChildProcess] = []

    init(parent: String) throws {
        var template = Array("\(parent)/gimbal-benchmarks.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BenchmarkFailure.systemCall("making a folder in \(parent)", errorNumber: errno)
        }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func close() {
        for child in children { child.end(graceful: false) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// For a run that failed: which servers are gone that nobody stopped.
    func showUnexpectedEnds() {
        for child in children {
            if let report = child.unexpectedEnd { Text.progress(report) }
        }
    }

    func makeFolder(_ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// `name` also names the files that take the process's output, so it is used once.
    func start(_ name: String, program: String, arguments: [String]) throws -> ChildProcess {
        let child = try ChildProcess(
            name: name, program: program, arguments: arguments, outputPath: "\(folder)/\(name).out",
            errorPath: "\(folder)/\(name).err")
        children.append(child)
        return child
    }
}
