import Foundation

/// How figures are written for people: few digits, thousands apart, always a unit.
enum Text {
    static func count(_ number: Int) -> String {
        var digits = Array(String(abs(number)))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    static func rate(_ perSecond: Double) -> String {
        count(Int(perSecond.rounded())) + "/s"
    }

    static func milliseconds(_ value: Double) -> String {
        fixed(value, digits: value < 1 ? 3 : 2) + " ms"
    }

    static func percentiles(p50: Double, p99: Double) -> String {
        "p50 \(milliseconds(p50)), p99 \(milliseconds(p99))"
    }

    static func megabytes(_ bytes: Int) -> String {
        fixed(Double(bytes) / 1e6, digits: 1) + " MB"
    }

    static func fixed(_ value: Double, digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }

    /// Progress goes to standard error, so that standard output is the table alone.
    static func progress(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
