import Foundation

/// What every exporter says of its process, by the names that dashboards know. From `/proc`: elsewhere there is less to say.
enum ProcessFigures {
    static func write(to page: inout MetricsPage) {
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            page.set(.cpu, [:], seconds(usage.ru_utime) + seconds(usage.ru_stime))
        }
        if let pages = field("/proc/self/statm", 1) { page.set(.memory, [:], pages * Double(sysconf(Int32(_SC_PAGESIZE)))) }
        if let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            page.set(.openFiles, [:], Double(names.count))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            page.set(.fileLimit, [:], Double(limit.rlim_cur))
        }
        if let started { page.set(.started, [:], started) }
    }

    /// Unix seconds: when the machine started, and the process after that (proc(5), `stat`).
    private static let started: Double? = {
        guard let statistics = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let machine = statistics.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let machineStart = machine.split(separator: " ").last.flatMap({ Double($0) }),
            // The second field is the program's name in brackets, with whatever it holds; the 22nd is the start.
            let process = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let end = process.lastIndex(of: ")")
        else { return nil }
        let fields = process[end...].dropFirst().split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        return machineStart + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func field(_ file: String, _ index: Int) -> Double? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        return index < fields.count ? Double(fields[index]) : nil
    }
}
