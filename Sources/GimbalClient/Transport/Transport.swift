import GimbalWire

/// How a client reaches a server: over HTTP, or inside one process.
package protocol Transport: Sendable {
    /// - Throws: only when there is no answer; a refusal is one.
    func send(_ request: TransportRequest) async throws(GimbalError) -> TransportAnswer

    /// Subscribes to a key or pattern.
    ///
    /// - Parameter version: up to which everything is known.
    /// - Throws: also when the server refuses.
    func open(_ target: String, since version: String?) async throws(GimbalError) -> MessageStream

    /// Ends everything that is open; afterwards `send` and `open` throw ``GimbalError/shutDown``.
    func shutdown() async
}

package struct TransportRequest: Sendable {
    package enum Method: Sendable {
        case get, post, patch, delete
    }

    package var method: Method
    /// A path or pattern.
    package var target: String
    package var body: [UInt8]?
    package var preference: ReadPreference?
    /// Of one page.
    package var limit: Int?
    /// Where the page begins, as the last one said.
    package var cursor: String?
}

package struct TransportAnswer: Sendable {
    package var status: Int
    package var errorCode: String?
    package var freshness: Freshness?
    package var cursor: String?
    package var body: [UInt8]

    package init(
        status: Int, errorCode: String? = nil, freshness: Freshness? = nil, cursor: String? = nil, body: [UInt8] = []
    ) {
        self.status = status
        self.errorCode = errorCode
        self.freshness = freshness
        self.cursor = cursor
        self.body = body
    }
}
