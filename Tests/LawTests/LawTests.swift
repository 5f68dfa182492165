import Foundation
import Laws
import Testing

/// Draws histories and checks every law on each. `make laws` does the same for as long as one likes.
struct LawTests {
    @Test("every law holds of every history")
    func histories() throws {
        let environment = ProcessInfo.processInfo.environment
        let first = try environment["GIMBAL_LAWS_SEED"].map { try #require(UInt64($0)) } ?? 1
        let count = try environment["GIMBAL_LAWS_COUNT"].map { try #require(Int($0)) } ?? Self.usualCount
        let start = ContinuousClock.now
        let (tally, failure) = LawRun().run(from: first, count: count, shrinking: environment["GIMBAL_LAWS_SHRINK"] != "no")
        print("laws: histories from seed \(first) on, in \(ContinuousClock.now - start)\n\(tally.description)")
        if let failure {
            Issue.record(
                "laws: commit \(Repository.commit), seed \(failure.seed): \(failure.violation)\nshrunk to\n\(failure.shrunk)")
        }
    }

    // What is not optimised checks one in a hundred.
    #if DEBUG
        private static let usualCount = 200
    #else
        private static let usualCount = 20_000
    #endif

    @Test("counterexamples that were found stay mended", arguments: try Repository.files("Tests/LawTests/Counterexamples"))
    func counterexamples(file: URL) throws {
        let history = try #require(History(try String(contentsOf: file, encoding: .utf8)), "\(file.lastPathComponent)")
        #expect(LawRun().violation(of: history) == nil, "\(file.lastPathComponent)")
    }

    @Test("a history is read back from its text", arguments: 1...50)
    func text(seed: UInt64) {
        let history = History(seed: seed)
        #expect(History("# why\n\(history)\n") == history)
    }
}
