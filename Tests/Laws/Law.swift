/// What has to hold of every history.
public protocol Law: Sendable {
    /// It is checked on every history whose seed this number divides: what costs more is checked on fewer.
    var share: UInt64 { get }

    /// Plays the history and throws at the first thing that is wrong.
    ///
    /// - Returns: how many operations were written.
    func check(_ history: History, _ tally: inout Tally) throws(Violation) -> Int
}

/// How a law was broken.
public struct Violation: Error, Hashable, CustomStringConvertible {
    /// The sentence that does not hold.
    public var law: String
    public var detail: String

    public init(_ law: String, _ detail: @autoclosure () -> String = "") {
        self.law = law
        self.detail = detail()
    }

    public var description: String { detail.isEmpty ? law : "\(law): \(detail)" }
}

/// Throws unless something holds.
public func require(_ holds: Bool, _ law: String, _ detail: @autoclosure () -> String = "") throws(Violation) {
    if !holds { throw Violation(law, detail()) }
}

/// What the histories of a run were like.
public struct Tally: Sendable {
    public private(set) var counts: [String: Int] = [:]
    public private(set) var histograms: [String: [Int: Int]] = [:]

    public init() {}

    public mutating func count(_ what: String, _ times: Int = 1) { if times > 0 { counts[what, default: 0] += times } }

    /// Notes one history's figure.
    public mutating func note(_ what: String, _ figure: Int) { histograms[what, default: [:]][figure, default: 0] += 1 }

    public mutating func add(_ other: Tally) {
        counts.merge(other.counts, uniquingKeysWith: +)
        for (what, figures) in other.histograms { histograms[what, default: [:]].merge(figures, uniquingKeysWith: +) }
    }

    /// A line for each figure: least, quartiles and greatest, then all counts.
    public var description: String {
        var lines: [String] = []
        for (what, figures) in histograms.sorted(by: { $0.key < $1.key }) {
            let total = figures.values.reduce(0, +)
            let ordered = figures.sorted { $0.key < $1.key }
            func quantile(_ share: Double) -> Int {
                var remaining = Int(Double(total - 1) * share)
                for (figure, times) in ordered {
                    if remaining < times { return figure }
                    remaining -= times
                }
                return 0
            }
            let quartiles = [0, 0.25, 0.5, 0.75, 1].map { String(quantile($0)) }.joined(separator: " ")
            lines.append("  \(what): \(quartiles)")
        }
        let counted = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return (lines + ["  " + counted.joined(separator: ", ")]).joined(separator: "\n")
    }
}
