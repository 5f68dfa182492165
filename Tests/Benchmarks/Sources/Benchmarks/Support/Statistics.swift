/// The middle of the values, or the mean of the two in the middle.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// Latencies of one round, sorted once.
struct Latencies {
    private let sortedNanoseconds: [UInt64]

    init(nanoseconds: [UInt64]) {
        sortedNanoseconds = nanoseconds.sorted()
    }

    /// The smallest latency that `share` (0…1) of all requests did not exceed.
    func milliseconds(atShare share: Double) -> Double {
        guard !sortedNanoseconds.isEmpty else { return .nan }
        let rank = Int((share * Double(sortedNanoseconds.count)).rounded(.up)) - 1
        return Double(sortedNanoseconds[min(max(rank, 0), sortedNanoseconds.count - 1)]) / 1e6
    }

    var p50: Double { milliseconds(atShare: 0.5) }
    var p99: Double { milliseconds(atShare: 0.99) }
}
