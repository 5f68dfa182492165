import CLinux
import Foundation

/// One line that says where, when and against what a table was measured.
struct MachineLine {
    let folder: String
    let binaries: String

    func text() -> String {
        var system = utsname()
        uname(&system)
        let kernel = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let date = ISO8601DateFormatter().string(from: Date())
        return [
            "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores (\(processorModel()))", "Linux \(kernel)", date,
            "data on \(fileSystem())", "load average \(loadAverage()) at the start",
            "pivot: \(programVersion("\(binaries)/pivot", "--version"))", programVersion("redis-server", "--version"),
            programVersion("nginx", "-v"), "one load generator thread on the same cores",
        ].joined(separator: " · ")
    }

    private func processorModel() -> String {
        let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = information.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown processor"
    }

    private func loadAverage() -> String {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        return text.split(separator: " ").first.map(String.init) ?? "unknown"
    }

    /// A sync to a file system in memory costs nothing, and durable figures from there would be a lie.
    private func fileSystem() -> String {
        var information = statfs()
        guard statfs(folder, &information) == 0 else { return "an unknown file system" }
        return switch information.f_type {
        case 0xEF53: "ext4"
        case 0x5846_5342: "XFS"
        case 0x9123_683E: "Btrfs"
        case 0x794C_7630: "overlayfs"
        case 0x0102_1994: "**tmpfs: nothing here is durable**"
        default: "file system type 0x" + String(information.f_type, radix: 16)
        }
    }
}
