import Foundation

/// A server that was started for the run. It dies with this process, however this process dies.
final class ChildProcess {
    let name: String
    private let process = Process()
    private let outputPath: String
    private let errorPath: String
    private var wasEnded = false

    var identifier: Int32 { process.processIdentifier }

    /// `program` is a path, or a name that is looked up in PATH.
    init(name: String, program: String, arguments: [String], outputPath: String, errorPath: String) throws {
        self.name = name
        self.outputPath = outputPath
        self.errorPath = errorPath
        // setpriv (util-linux) becomes the program itself, under the same process identifier.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = ["--pdeathsig", "KILL", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["PATH": searchPath]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.emptyFile(outputPath)
        process.standardError = try Self.emptyFile(errorPath)
        try process.run()
    }

    /// What the process has written to standard output so far.
    func output() throws -> String {
        try String(contentsOfFile: outputPath, encoding: .utf8)
    }

    /// What to say of a process that is gone though nobody stopped it: its status, and the end of its standard error.
    var unexpectedEnd: String? {
        guard !process.isRunning, !wasEnded else { return nil }
        let errors = (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? ""
        let lastLines = errors.split(separator: "\n").suffix(15).joined(separator: "\n")
        return "\(name) ended by itself with status \(process.terminationStatus):\n\(lastLines)"
    }

    func checkRunning() throws {
        if let unexpectedEnd { throw BenchmarkFailure(unexpectedEnd) }
    }

    /// Graceful: SIGTERM, and SIGKILL only if the process is still there after ten seconds.
    func end(graceful: Bool) {
        guard unexpectedEnd == nil else { return }
        wasEnded = true
        let start = steadyNanoseconds()
        if graceful {
            kill(identifier, SIGTERM)
            while process.isRunning, secondsSince(start) < 10 { sleepMilliseconds(1) }
            if process.isRunning { Text.progress("note: \(name) did not end on SIGTERM within 10 s") }
        }
        guard process.isRunning else { return }
        kill(identifier, SIGKILL)
        while process.isRunning, secondsSince(start) < 20 { sleepMilliseconds(1) }
    }

    private static func emptyFile(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw BenchmarkFailure("cannot write \(path)") }
        return file
    }
}

/// PATH with the folders where Debian keeps servers, which a user's PATH may lack.
private let searchPath = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/usr/local/sbin"
