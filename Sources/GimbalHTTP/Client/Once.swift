import Synchronization

/// A completion that two may call and the first one does.
final class Once<Value: Sendable>: Sendable {
    private let completion: Mutex<(@Sendable (Value) -> Void)?>

    init(_ completion: @escaping @Sendable (Value) -> Void) {
        self.completion = Mutex(completion)
    }

    func call(_ value: Value) {
        let first = completion.withLock { completion in
            defer { completion = nil }
            return completion
        }
        first?(value)
    }
}
