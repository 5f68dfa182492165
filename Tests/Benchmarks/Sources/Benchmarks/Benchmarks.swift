import ArgumentParser
import Foundation

/// Measures the first six promises of docs/performance.md, subscriptions, a fleet and a large space, and prints them as a
/// Markdown table. It only measures: a promise that is not kept does not fail the run, a wrong answer does.
@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmarks",
        abstract: "Measures pivot and node against Redis, nginx and a bare SwiftNIO server.",
        discussion: """
            Rows: 1 durable POST, 2 GET, 3 node read with sync-on-read, 4 write to second node, 5 pivot ingest, 6 first sync, \
            7 subscriptions, 8 a fleet of 200 nodes, 9 very many keys in one space (--full: 1,000,000). \
            The table goes to standard output, progress to standard error. Needs redis-server and nginx (apt-get install).
            """)

    @Option(help: "The folder with the release builds of pivot and node.")
    var binaries = "../../.build/release"

    @Option(help: "How many keys exist. (default: 100000, with --quick 10000)")
    var keys: Int?

    @Option(help: "How many keys a new node gets. (default: as --keys, with --full 1000000)")
    var syncKeys: Int?

    @Flag(help: "10,000 keys and fewer, shorter rounds: to see that it works, not to quote.")
    var quick = false

    @Flag(help: "Latencies and the first sync also with 1,000,000 keys.")
    var full = false

    @Option(help: "Rounds of each contender. (default: 9, with --quick 3)")
    var rounds: Int?

    @Option(help: "Seconds of a round. (default: 1, with --quick 0.5)")
    var seconds: Double?

    @Option(help: "Event loops of the bare SwiftNIO peer. (default: one for each core)")
    var peerLoops: Int?

    @Option(help: "Which rows to measure, such as 1,2,5.")
    var only = "1,2,3,4,5,6,7,8,9"

    @Option(help: "Where the temporary folder is made; its file system must be a real disk's.")
    var folder = "/tmp"

    func validate() throws {
        let knownRows = Set(1...9)
        guard !rowNumbers.isEmpty, rowNumbers.allSatisfy(knownRows.contains) else {
            throw ValidationError("--only takes numbers from 1 to 9, separated by commas.")
        }
        for number in [keys, syncKeys, rounds, peerLoops].compactMap({ $0 }) where number < 1 {
            throw ValidationError("Counts are at least 1.")
        }
        guard !(quick && full) else { throw ValidationError("--quick and --full exclude each other.") }
        for program in ["pivot", "node"] where !FileManager.default.isExecutableFile(atPath: "\(binaries)/\(program)") {
            throw ValidationError("\(binaries)/\(program) is not there: build it with `swift build -c release`.")
        }
    }

    func run() throws {
        Interruption.watch()
        OpenFiles.allowMany()
        let bench = try Workbench(parent: folder)
        defer { bench.close() }
        let heading = MachineLine(folder: bench.folder, binaries: binaries).text()
        Text.progress(heading)
        let run = BenchmarkRun(settings: settings, bench: bench, binaries: binaries)
        // What was measured before a failure is still shown.
        defer { print(run.report.markdown(heading: heading)) }
        do {
            for number in Set(rowNumbers).sorted() {
                Text.progress("row \(number)")
                try measure(row: number, run)
            }
            try run.stopLoadedPivot()
        } catch {
            bench.showUnexpectedEnds()
            throw error
        }
    }

    private var rowNumbers: [Int] {
        only.split(separator: ",").map { Int($0) ?? 0 }
    }

    private var settings: RunSettings {
        let keys = keys ?? (quick ? 10_000 : 100_000)
        return RunSettings(
            keys: keys, syncKeys: syncKeys ?? (full ? 1_000_000 : keys), isQuick: quick, isFull: full,
            rounds: rounds ?? (quick ? 3 : 9), secondsPerRound: seconds ?? (quick ? 0.5 : 1),
            peerLoops: peerLoops ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    private func measure(row: Int, _ run: BenchmarkRun) throws {
        switch row {
        case 1: try DurableWriteRow().measure(run)
        case 2: try ReadRow().measure(run)
        default:
            try run.stopLoadedPivot()
            switch row {
            case 3: try SyncOnReadRow().measure(run)
            case 4: try PropagationRow().measure(run)
            case 5: try IngestRow().measure(run)
            case 6: try FirstSyncRow().measure(run)
            case 7: try SubscriptionRow().measure(run)
            case 8: try FleetRow().measure(run)
            default: try LargeRow().measure(run)
            }
        }
    }
}
