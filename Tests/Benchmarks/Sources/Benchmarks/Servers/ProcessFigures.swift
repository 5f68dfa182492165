import Foundation

/// What /proc says of a process at one moment.
struct ProcessFigures {
    let processorSeconds: Double
    let residentBytes: Int
    let residentAnonymousBytes: Int

    init(_ processIdentifier: Int32) throws {
        let folder = "/proc/\(processIdentifier)"
        let status = try Self.text(folder + "/status")
        residentBytes = try Self.kilobytes("VmRSS:", in: status) * 1024
        residentAnonymousBytes = try Self.kilobytes("RssAnon:", in: status) * 1024
        // The fields after the command's name, which stands in parentheses and may hold spaces; user and system time are
        // the 14th and 15th of all, in ticks.
        let stat = try Self.text(folder + "/stat")
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
            throw BenchmarkFailure("cannot read \(folder)/stat")
        }
        processorSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var memory: String {
        "VmRSS \(Text.megabytes(residentBytes)), RssAnon \(Text.megabytes(residentAnonymousBytes))"
    }

    private static func text(_ path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw BenchmarkFailure("cannot read \(path): the process is gone")
        }
    }

    private static func kilobytes(_ name: String, in status: String) throws -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        guard let number = line?.split(whereSeparator: \.isWhitespace).dropFirst().first, let value = Int(number) else {
            throw BenchmarkFailure("/proc has no \(name)")
        }
        return value
    }
}
