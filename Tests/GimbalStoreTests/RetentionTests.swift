import GimbalStore
import Testing

struct RetentionTests {
    @Test(
        "upkeep leaves a growing log nine tenths of the time, until the log has outgrown its bounds",
        arguments: [
            (isGrowing: true, entries: 1000, bytes: 50, rest: Duration.milliseconds(90) as Duration?),
            (isGrowing: false, entries: 1000, bytes: 50, rest: nil),
            (isGrowing: true, entries: 1001, bytes: 50, rest: nil),
            (isGrowing: true, entries: 1000, bytes: 51, rest: nil),
        ])
    func rest(isGrowing: Bool, entries: UInt64, bytes: UInt64, rest: Duration?) {
        var options = RetentionOptions()
        options.mostEntries = 1000
        options.mostBytes = 50
        #expect(options.rest(after: .seconds(100), isGrowing: true, entries: 1, bytes: 1) == options.longestRest)
        #expect(options.rest(after: .milliseconds(10), isGrowing: isGrowing, entries: entries, bytes: bytes) == rest)
    }

    @Test("a space is closed in the middle of a rest")
    func closing() async throws {
        var retention = RetentionOptions.shortest
        retention.mostEntries = 1_000_000
        retention.restFactor = 1_000_000_000
        retention.longestRest = .seconds(1_000_000)
        let world = try await World(retention: retention)
        let pivot = try #require(world.pivot)
        for number in 0..<200 { try await set(pivot, "things/\(number % 7)", "\(number)") }
        world.closePivot()
    }
}
