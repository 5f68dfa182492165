import Glibc

/// Why a run ended early: something answered wrongly, did not start, or did not answer in time. A figure that was measured
/// over a wrong answer is worth nothing, so nothing here is ever skipped over.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The failure of a system call that just set `errno`.
    static func systemCall(_ name: String, errorNumber: Int32) -> BenchmarkFailure {
        BenchmarkFailure("\(name) failed: \(String(cString: strerror(errorNumber)))")
    }
}
