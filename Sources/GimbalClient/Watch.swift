/// What is at one key, now and after each change: nil when there is nothing. Otherwise like ``Subscription``.
public struct Watch<Value: Decodable>: AsyncSequence {
    public typealias Element = Entry<Value>?
    public typealias Failure = GimbalError

    let subscription: Subscription<Value>

    public func makeAsyncIterator() -> Iterator { Iterator(changes: subscription.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        var changes: Subscription<Value>.Iterator

        public mutating func next() async throws(GimbalError) -> Entry<Value>?? { try await next(isolation: #isolation) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(GimbalError) -> Entry<Value>?? {
            switch try await changes.next(isolation: actor) {
            case .snapshot(let entries): .some(entries.first)
            case .inserted(let entry), .updated(let entry): .some(entry)
            case .removed: .some(nil)
            case nil: nil
            }
        }
    }
}

extension Watch: Sendable {}
