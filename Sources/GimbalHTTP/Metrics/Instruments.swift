import CoreMetrics
import Synchronization

/// What a registry keeps under one name and set of labels. One that was never told anything is not shown.
protocol Instrument: AnyObject, Sendable {
    func write(_ name: String, _ labels: MetricLabels, to page: inout MetricsPage)
}

final class CounterInstrument: CounterHandler, Instrument {
    private let count = Shards<64>()

    func increment(by amount: Int64) { count.add(amount, to: 0) }

    /// Prometheus takes a lower value for a restart.
    func reset() { count.add(-count.total(0), to: 0) }

    func write(_ name: String, _ labels: MetricLabels, to page: inout MetricsPage) {
        let count = count.total(0)
        if count != 0 { page.add(name, labels, Double(count)) }
    }
}

/// A cumulative histogram with fixed bounds.
final class HistogramInstrument: TimerHandler, RecorderHandler, Instrument {
    /// In nanoseconds for times, else in what is recorded.
    struct Bounds: Sendable {
        var upper: [Int64]
        /// From what is recorded to what is shown.
        var scale: Double

        /// 100 µs to 10 s.
        static let seconds = Bounds(
            upper: [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000].map { $0 * 1000 }
                + [1, 2, 5, 10].map { $0 * 1_000_000_000 },
            scale: 1e-9)
        static let counts = Bounds(upper: (0..<16).map { 1 << $0 }, scale: 1)
    }

    /// One bucket for each bound, one above them, then the sum.
    private static let sumIndex = 17
    private let bounds: Bounds
    private let cells = Shards<192>()

    init(_ bounds: Bounds) { self.bounds = bounds }

    func recordNanoseconds(_ duration: Int64) { record(duration) }

    func record(_ value: Int64) {
        var bucket = 0
        // Most values are in the first few.
        while bucket < bounds.upper.count, value > bounds.upper[bucket] { bucket += 1 }
        cells.add(1, to: bucket, and: value, to: Self.sumIndex)
    }

    func record(_ value: Double) { record(Int64(clamping: value)) }

    func write(_ name: String, _ labels: MetricLabels, to page: inout MetricsPage) {
        guard (0...bounds.upper.count).contains(where: { cells.total($0) != 0 }) else { return }
        var count: Int64 = 0
        for (index, bound) in bounds.upper.enumerated() {
            count += cells.total(index)
            page.add(name, suffix: "_bucket", labels.adding("le", MetricsPage.text(Double(bound) * bounds.scale)), Double(count))
        }
        count += cells.total(bounds.upper.count)
        page.add(name, suffix: "_bucket", labels.adding("le", "+Inf"), Double(count))
        page.add(name, suffix: "_sum", labels, Double(cells.total(Self.sumIndex)) * bounds.scale)
        page.add(name, suffix: "_count", labels, Double(count))
    }
}

final class GaugeInstrument: MeterHandler, RecorderHandler, Instrument {
    private let bits = Atomic<UInt64>(0)

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func set(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func record(_ value: Int64) { set(Double(value)) }

    func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isExchanged, found) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if isExchanged { return }
            old = found
        }
    }

    func decrement(by amount: Double) { increment(by: -amount) }

    func write(_ name: String, _ labels: MetricLabels, to page: inout MetricsPage) {
        page.add(name, labels, Double(bitPattern: bits.load(ordering: .relaxed)))
    }
}

extension Int64 {
    init(clamping value: Double) {
        self = value.isNaN ? 0 : Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max)
    }
}
