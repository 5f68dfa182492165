/// A line of the table. What has no peer or no promise leaves it empty.
struct ReportRow {
    var title: String
    var ours: String
    var peer = "–"
    var ratio = "–"
    var promise = "–"
    var isKept: Bool?
}

/// Collects what the rows measured and writes it as Markdown.
struct Report {
    private(set) var rows: [ReportRow] = []
    private(set) var notes: [String] = []

    mutating func add(_ row: ReportRow) {
        rows.append(row)
        Text.progress("= \(row.title): \(row.ours), peer \(row.peer), ratio \(row.ratio)")
    }

    mutating func add(note: String) {
        notes.append(note)
        Text.progress("= \(note)")
    }

    func markdown(heading: String) -> String {
        let header = ["row", "ours", "peer", "ratio", "promise", "kept?"]
        let table = [header, header.map { _ in "---" }] + rows.map(Self.cells)
        let lines = table.map { "| " + $0.joined(separator: " | ") + " |" }
        return ([heading, "", Self.legend, ""] + lines + [""] + notes.map { "- \($0)" }).joined(separator: "\n")
    }

    private static let legend =
        "Figures are medians of the rounds, which alternate between the servers; a ratio is the median of the rounds' ratios."

    private static func cells(_ row: ReportRow) -> [String] {
        let kept = row.isKept.map { $0 ? "yes" : "**no**" } ?? "–"
        return [row.title, row.ours, row.peer, row.ratio, row.promise, kept]
    }
}
