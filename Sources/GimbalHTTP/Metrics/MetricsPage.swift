/// Names and values that tell one series of a metric from its others.
struct MetricLabels: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    private(set) var pairs: [(name: String, value: String)]

    init(_ pairs: [(String, String)]) { self.pairs = pairs.map { (name: $0, value: $1) } }
    init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }

    func adding(_ name: String, _ value: String) -> MetricLabels {
        var labels = self
        labels.pairs.append((name, value))
        return labels
    }

    static func == (left: Self, right: Self) -> Bool { left.pairs.elementsEqual(right.pairs, by: ==) }

    func hash(into hasher: inout Hasher) {
        for pair in pairs {
            hasher.combine(pair.name)
            hasher.combine(pair.value)
        }
    }
}

/// One answer to a scrape, in the text form of Prometheus (exposition format 0.0.4).
struct MetricsPage {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    private struct Family {
        var kind: Kind
        var help: String
        var lines: [String] = []
    }

    private var families: [String: Family] = [:]

    /// Says what a metric is; once is enough, and samples of what was never described are not shown.
    mutating func describe(_ name: String, _ kind: Kind, _ help: String) {
        if families[name] == nil { families[name] = Family(kind: kind, help: help) }
    }

    mutating func add(_ name: String, suffix: String = "", _ labels: MetricLabels, _ value: Double) {
        families[name]?.lines.append("\(name)\(suffix)\(Self.text(labels)) \(Self.text(value))")
    }

    /// Metric by metric; those without a sample are left out.
    var text: String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.lines.isEmpty {
            text += "# HELP \(name) \(Self.escaped(family.help))\n# TYPE \(name) \(family.kind.rawValue)\n"
            for line in family.lines { text += line + "\n" }
        }
        return text
    }

    private static func text(_ labels: MetricLabels) -> String {
        guard !labels.pairs.isEmpty else { return "" }
        let pairs = labels.pairs.map { "\($0.name)=\"\(escaped($0.value).replacing("\"", with: "\\\""))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    static func text(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        if value.isNaN { return "NaN" }
        return value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
    }
}
