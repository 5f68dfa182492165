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
        page.set(.started, [:], started)
    }

    private static let started = Date().timeIntervalSince1970

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func field(_ file: String, _ index: Int) -> Double? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        return index < fields.count ? Double(fields[index]) : nil
    }
}
