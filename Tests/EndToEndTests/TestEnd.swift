import Synchronization
import Testing

/// What has to be done when a test ends, however it ends. Servers and folders live until then: were they tied to the life of
/// a variable, they would go after its last use, in the middle of the test.
final class TestEnd: Sendable {
    @TaskLocal static var current: TestEnd?

    private let actions = Mutex<[@Sendable () -> Void]>([])

    /// What was said last is done first.
    func atEnd(_ action: @escaping @Sendable () -> Void) { actions.withLock { $0.append(action) } }

    func run() {
        let actions = actions.withLock { actions in
            defer { actions = [] }
            return actions
        }
        for action in actions.reversed() { action() }
    }
}

/// Ends the servers of each test of a suite and removes their folders.
struct CleansUp: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let end = TestEnd()
        defer { end.run() }
        try await TestEnd.$current.withValue(end) { try await function() }
    }
}

extension Trait where Self == CleansUp {
    static var cleansUp: Self { Self() }
}
