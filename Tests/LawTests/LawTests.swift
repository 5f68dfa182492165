import Foundation
import Laws
import Testing

/// Draws histories and checks every law on each. `make laws` does the same for as long as one likes.
struct LawTests {
    @Test("every law holds of every history")
    func histories() throws {
        let environment = ProcessInfo.processInfo.environment
        let first = try environment["GIMBAL_LAWS_SEED"].map { try #require(UInt64($0)) } ?? 1
        let count = try environment["GIMBAL_LAWS_COUNT"].map { try #require(Int($0)) } ?? Self.defaultCount
        let start = ContinuousClock.now
        let (tally, failure) = LawRun().run(from: first, count: count)
        print("laws: seeds \(first) to \(first &+ UInt64(count) &- 1), \(ContinuousClock.now - start)")
        print(tally.description)
        if let failure {
            Issue.record("law broken: commit \(Self.commit), seed \(failure.seed): \(failure.violation)\n\(failure.shrunk)")
        }
    }

    private static let defaultCount = 200

    private static var commit: String { "unknown" }
}
