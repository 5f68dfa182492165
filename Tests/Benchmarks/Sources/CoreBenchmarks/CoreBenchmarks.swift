import ArgumentParser
import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalStorage
import GimbalWire

/// What one operation costs in each stage on its way, in processor time of the thread or process that does it: what the
/// figures of whole programs are made of.
@main
struct CoreBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core-benchmarks",
        abstract: "Measures merges, deltas, the state digest and the stores inside one process.")

    @Option(help: "Operations in all.")
    var operations = 200_000

    @Option(help: "Operations of one delta.")
    var batch = 1000

    @Option(help: "Rounds; medians are printed.")
    var rounds = 5

    @Option(help: "The folder below which stores are made; its file system must be a real disk's.")
    var folder = "/tmp"

    @Option(help: "Which stages to measure, such as merge,decode; all by default.")
    var only = ""

    func run() async throws {
        let wanted = Set(only.split(separator: ",").map(String.init))
        print("| stage | median of \(rounds) | a second |\n| --- | --- | --- |")
        let workload = Workload(operations: operations, batch: batch)
        let stages =
            PureStages.all(workload) + StoreStages.all(workload, folder: folder)
            + [LeastStage(workload, together: 16).stage(folder: folder)] + SnapshotStages.all(workload, folder: folder)
        for stage in stages where wanted.isEmpty || wanted.contains(stage.name) {
            var nanoseconds: [Double] = []
            for _ in 0..<rounds { nanoseconds.append(try await stage.measure()) }
            let median = nanoseconds.sorted()[nanoseconds.count / 2]
            print("| \(stage.name): \(stage.what) | \(Int(median)) ns of processor time | \(Int(1e9 / median)) |")
        }
    }
}

/// One thing to measure.
struct Stage {
    var name: String
    var what: String
    /// Nanoseconds of processor time an operation.
    var measure: () async throws -> Double

    /// The path of a folder that is not there yet.
    static func newFolder(in parent: String) -> String { "\(parent)/gimbal-core-\(UUID().uuidString.prefix(8))" }
}
