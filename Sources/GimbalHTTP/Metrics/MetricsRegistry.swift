import CoreMetrics
import Synchronization

/// A backend of swift-metrics that keeps what it is told in memory until Prometheus asks.
final class MetricsRegistry: MetricsFactory {
    private struct Family {
        var kind: MetricsPage.Kind
        var series: [(labels: MetricLabels, instrument: any Instrument)] = []
        /// Into `series`.
        var index: [MetricLabels: Int] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        find(label, dimensions, .counter) { CounterInstrument() }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return find(label, dimensions, .gauge) { GaugeInstrument() } }
        return find(label, dimensions, .histogram) { HistogramInstrument(.counts) }
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        find(label, dimensions, .gauge) { GaugeInstrument() }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, dimensions, .histogram) { HistogramInstrument(.seconds) }
    }

    // Series live as long as the process: a counter that vanished and came again would look like a restart.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    /// The one of this name, kind and labels.
    private func find<Found: Instrument>(
        _ label: String, _ dimensions: [(String, String)], _ kind: MetricsPage.Kind, _ make: () -> Found
    ) -> Found {
        let name = Self.name(label)
        let labels = MetricLabels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            if let index = family.index[labels], let found = family.series[index].instrument as? Found { return found }
            let made = make()
            // A name that was given to two kinds of things shows the first.
            guard family.kind == kind else { return made }
            family.index[labels] = family.series.count
            family.series.append((labels, made))
            families[name] = family
            return made
        }
    }

    /// swift-metrics takes any text for a name.
    private static func name(_ label: String) -> String {
        String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
    }

    func write(to page: inout MetricsPage) {
        let families = families.withLock { $0 }
        for (name, family) in families {
            page.describe(name, family.kind, MetricName(rawValue: name)?.help ?? "")
            for (labels, instrument) in family.series { instrument.write(name, labels, to: &page) }
        }
    }
}
