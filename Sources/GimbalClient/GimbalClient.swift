import Foundation
import GimbalCRDT
import GimbalWire

/// A client of a Gimbal server, node or pivot, and of any server that speaks the ooo protocol.
///
/// Values are whatever `Codable` types a program has; keys are paths such as `settings` or `things/42`, and patterns such as
/// `things/*` name many. Everything may be called from any number of tasks at once. There is nothing to close: connections go
/// with the last reference, or with ``shutdown()``.
///
/// ```swift
/// let client = try GimbalClient(url: "http://127.0.0.1:7000")
/// try await client.set("settings", to: Settings(theme: "dark"))
/// for try await change in client.subscribe("things/*", as: Thing.self) { … }
/// ```
public final class GimbalClient: Sendable {
    private let transport: any Transport
    private let options: Options

    /// - Parameters:
    ///   - url: the server, such as `http://10.0.0.1:7000`; `https` for one behind TLS.
    ///   - options: how the client behaves.
    /// - Throws: ``GimbalError/invalidURL(_:)``. The network is not used yet.
    public convenience init(url: String, options: Options = Options()) throws(GimbalError) {
        let address: ServerAddress
        do {
            address = try ServerAddress(url)
        } catch { throw .invalidURL("\(error)") }
        self.init(transport: HTTPTransport(address, options), options: options)
    }

    package init(transport: any Transport, options: Options) {
        self.transport = transport
        self.options = options
    }

    /// Ends what is open: requests throw ``GimbalError/shutDown`` or ``GimbalError/cancelled``, loops over subscriptions end.
    public func shutdown() async { await transport.shutdown() }

    // MARK: Reading

    /// What is at a path.
    ///
    /// - Parameters:
    ///   - path: such as `things/42`.
    ///   - type: of the value.
    ///   - preference: how fresh it has to be.
    /// - Throws: ``GimbalError/notFound(path:)`` when there is nothing; ``GimbalError/pivotAway`` when it is to be the latest
    ///   and that cannot be known.
    public func get<Value: Decodable>(
        _ path: String, as type: Value.Type = Value.self, reading preference: ReadPreference = .fresh
    ) async throws(GimbalError) -> Entry<Value> {
        try Self.check(path)
        let answer = try await send(TransportRequest(method: .get, target: path, preference: preference))
        guard let json = try? JSONValue(parsing: answer.body), let item = try? Item(json) else {
            throw .unexpectedAnswer("no key")
        }
        return try Entry(item, freshness: answer.freshness, options.decoder)
    }

    /// What is at a path, or nil when there is nothing; otherwise like ``get(_:as:reading:)``.
    public func find<Value: Decodable>(
        _ path: String, as type: Value.Type = Value.self, reading preference: ReadPreference = .fresh
    ) async throws(GimbalError) -> Entry<Value>? {
        do throws(GimbalError) {
            return try await get(path, reading: preference)
        } catch {
            guard case .notFound = error else { throw error }
            return nil
        }
    }

    /// The keys that match a pattern, newest first.
    ///
    /// - Parameters:
    ///   - pattern: such as `things/*`.
    ///   - limit: how many a page has at most. Keys written between two pages are on neither; `nil` asks for one page of one
    ///     moment.
    ///   - type: of the values.
    ///   - preference: how fresh they have to be.
    public func list<Value: Decodable>(
        _ pattern: String, limit: Int? = 500, as type: Value.Type = Value.self, reading preference: ReadPreference = .fresh
    ) -> Pages<Value> {
        let fetch: @Sendable (String?) async throws(GimbalError) -> TransportAnswer = {
            [self] cursor async throws(GimbalError) in
            guard Pattern(pattern)?.isGlob == true else { throw .notPattern(pattern) }
            return try await send(
                TransportRequest(method: .get, target: pattern, preference: preference, limit: limit, cursor: cursor))
        }
        return Pages(fetch: fetch, decoder: options.decoder)
    }

    // MARK: Writing

    /// Sets what is at a path. Returns once it is on the server's disk.
    public func set(_ path: String, to value: some Encodable) async throws(GimbalError) {
        try Self.check(path)
        _ = try await send(TransportRequest(method: .post, target: path, body: try encode(value)))
    }

    /// Adds a member under a fresh index.
    ///
    /// - Parameters:
    ///   - collection: such as `things/*`.
    ///   - value: of the new member.
    /// - Returns: the new member's path.
    @discardableResult
    public func push(_ collection: String, _ value: some Encodable) async throws(GimbalError) -> String {
        let base = collection.dropLast(2)
        guard collection.hasSuffix("/*") else { throw .invalidPath("\(collection) is no collection such as things/*") }
        try Self.check(base)
        let answer = try await send(TransportRequest(method: .post, target: collection, body: try encode(value)))
        guard let index = (try? JSONValue(parsing: answer.body))?["index"]?.string else {
            throw .unexpectedAnswer("no index")
        }
        return "\(base)/\(index)"
    }

    /// Merges an object into what is at a path: objects member by member, `null` as a value, an object with indexes as names
    /// into an array. What it does not name stays byte for byte.
    ///
    /// - Throws: ``GimbalError/notFound(path:)`` when there is nothing; a refusal with the code `patch-mismatch` when a member
    ///   is an object and the patch has something else for it.
    public func patch(_ path: String, with changes: some Encodable) async throws(GimbalError) {
        try Self.check(path)
        _ = try await send(TransportRequest(method: .patch, target: path, body: try encode(changes)))
    }

    /// Deletes a key, or all keys that match a pattern and that the server has seen.
    ///
    /// - Throws: ``GimbalError/notFound(path:)`` when nothing is at a path; a pattern may match nothing.
    public func delete(_ target: String) async throws(GimbalError) {
        if target.contains("*") {
            guard Pattern(target) != nil else { throw .notPattern(target) }
        } else {
            try Self.check(target)
        }
        _ = try await send(TransportRequest(method: .delete, target: target))
    }

    // MARK: Following

    /// The changes of a key or of all keys that match a pattern, from a snapshot on.
    public func subscribe<Value: Decodable>(_ target: String, as type: Value.Type = Value.self) -> Subscription<Value> {
        let make: @Sendable () throws(GimbalError) -> Follower = { [transport, options] () throws(GimbalError) in
            let isPattern = target.contains("*")
            if isPattern {
                guard Pattern(target) != nil else { throw .notPattern(target) }
            } else {
                try Self.check(target)
            }
            return Follower(target, isPattern ? .list : .key, transport, options.reconnect, options.logger)
        }
        return Subscription(makeFollower: make, decoder: options.decoder)
    }

    /// What is at a key, now and after each change.
    public func watch<Value: Decodable>(_ path: String, as type: Value.Type = Value.self) -> Watch<Value> {
        Watch(subscription: subscribe(path))
    }

    // MARK: Requests

    private func send(_ request: TransportRequest) async throws(GimbalError) -> TransportAnswer {
        let answer = try await transport.send(request)
        guard (200..<300).contains(answer.status) else { throw GimbalError(answer, target: request.target) }
        return answer
    }

    private func encode(_ value: some Encodable) throws(GimbalError) -> [UInt8] {
        do { return Array(try options.encoder.encode(value)) } catch { throw .unencodable(reason: "\(error)") }
    }

    /// What is no path never reaches the network: it could be another URL.
    private static func check(_ path: some StringProtocol) throws(GimbalError) {
        guard let path = Path(path), !path.isReserved else { throw .invalidPath("\(path) is no path that clients may use") }
    }
}

extension GimbalError {
    static func notPattern(_ text: String) -> GimbalError { .invalidPath("\(text) is no pattern such as things/*") }
}
