import Foundation

/// The changes of a key or of all keys that match a pattern, for as long as somebody iterates.
///
/// First comes a ``Change/snapshot(_:)``, then every difference to it. A connection that breaks comes back on its own (see
/// ``Reconnect``): the server sends what was missed or everything, and either way only the differences to what was seen
/// last are changes here. Changes may be summed up: a path that was written ten times while nobody read may change once.
///
/// Each iteration is a connection of its own, opened by the first `next()` and closed when the loop ends, however it ends. It
/// reads from the network only what is asked for, so a slow loop holds little memory and slows down nobody else. The loop ends
/// when its task is cancelled or the client is shut down.
public struct Subscription<Value: Decodable>: AsyncSequence {
    public typealias Element = Change<Value>
    public typealias Failure = GimbalError

    let makeFollower: @Sendable () throws(GimbalError) -> Follower
    let decoder: JSONDecoder

    public func makeAsyncIterator() -> Iterator { Iterator(makeFollower: makeFollower, decoder: decoder) }

    public struct Iterator: AsyncIteratorProtocol {
        /// Nil once it was called.
        private var makeFollower: (@Sendable () throws(GimbalError) -> Follower)?
        private var follower: Follower?
        private let decoder: JSONDecoder

        init(makeFollower: @escaping @Sendable () throws(GimbalError) -> Follower, decoder: JSONDecoder) {
            self.makeFollower = makeFollower
            self.decoder = decoder
        }

        public mutating func next() async throws(GimbalError) -> Change<Value>? { try await next(isolation: #isolation) }

        /// - Throws: what cannot get better by waiting: a pattern that is none, a refusal, a value that is no `Value`. Afterwards
        ///   the iteration is over.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(GimbalError) -> Change<Value>? {
            do throws(GimbalError) {
                if let make = makeFollower.take() { follower = try make() }
                if let change = try await follower?.next(isolation: actor) { return try Change(change, decoder) }
            } catch {
                follower = nil
                throw error
            }
            // Lets go of the connection.
            follower = nil
            return nil
        }
    }
}

extension Subscription: Sendable {}

extension Change where Value: Decodable {
    init(_ change: ItemChange, _ decoder: JSONDecoder) throws(GimbalError) {
        self =
            switch change {
            case .snapshot(let items):
                .snapshot(try items.map { item throws(GimbalError) in try Entry(item, decoder) })
            case .inserted(let item): .inserted(try Entry(item, decoder))
            case .updated(let item): .updated(try Entry(item, decoder))
            case .removed(let item): .removed(try Entry(item, decoder))
            }
    }
}
