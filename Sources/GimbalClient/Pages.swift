import Foundation
import GimbalWire

/// The keys that match a pattern, newest first, page by page. Each page is asked for when the loop wants it.
public struct Pages<Value: Decodable>: AsyncSequence {
    public typealias Element = [Entry<Value>]
    public typealias Failure = GimbalError

    let fetch: @Sendable (_ cursor: String?) async throws(GimbalError) -> TransportAnswer
    let decoder: JSONDecoder

    public func makeAsyncIterator() -> Iterator { Iterator(fetch: fetch, decoder: decoder) }

    /// All pages in one array.
    public func all() async throws(GimbalError) -> [Entry<Value>] {
        var entries: [Entry<Value>] = []
        for try await page in self { entries += page }
        return entries
    }

    public struct Iterator: AsyncIteratorProtocol {
        let fetch: @Sendable (_ cursor: String?) async throws(GimbalError) -> TransportAnswer
        let decoder: JSONDecoder
        private var cursor: String?
        private var isFinished = false

        init(fetch: @escaping @Sendable (String?) async throws(GimbalError) -> TransportAnswer, decoder: JSONDecoder) {
            self.fetch = fetch
            self.decoder = decoder
        }

        public mutating func next() async throws(GimbalError) -> [Entry<Value>]? { try await next(isolation: #isolation) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(GimbalError) -> [Entry<Value>]? {
            guard !isFinished else { return nil }
            isFinished = true
            let answer = try await fetch(cursor)
            let entries = try parse(answer)
            cursor = answer.cursor
            isFinished = cursor == nil
            return entries
        }

        private func parse(_ answer: TransportAnswer) throws(GimbalError) -> [Entry<Value>] {
            guard let array = (try? JSONValue(parsing: answer.body))?.array else { throw .unexpectedAnswer("no list") }
            return try array.map { json throws(GimbalError) in
                guard let item = try? Item(json) else { throw .unexpectedAnswer("no list of keys") }
                return try Entry(item, freshness: answer.freshness, decoder)
            }
        }
    }
}

extension Pages: Sendable {}
