/// Why something could not be done. Each case has a stable ``code``: the one that the server says in `Gimbal-Error`, or the
/// client's own where no server was involved.
///
/// Everything throws this type alone, so that a `catch` can `switch` over it:
///
/// ```swift
/// do {
///     try await client.patch("things/42", with: ["count": 2])
/// } catch {
///     switch error {
///     case .notFound: try await client.set("things/42", to: Thing(count: 2))
///     case _ where error.isTransient: later()
///     default: throw error
///     }
/// }
/// ```
///
/// - Note: The compiler of Swift 6.3 crashes at `catch GimbalError.notFound { … }` (a typed error, matched in part, with no
///   value bound). Catch all and `switch`, or bind the value: `catch GimbalError.notFound(let path)`.
public enum GimbalError: Error, Hashable, Sendable {
    /// Nothing is at the path.
    case notFound(path: String)
    /// The path or pattern is none, or one that clients may not use.
    case invalidPath(String, code: String = "invalid-path")
    /// The server does not take the value or patch: it is not JSON as it wants it.
    case invalidValue(String, code: String)
    /// The value is larger than the space allows.
    case tooLarge(String)
    /// The server wants a token, or another one.
    case unauthorized(String, code: String)
    /// What is asked for is not granted.
    case forbidden(String)
    /// The node has no copy of the space yet.
    case notReady
    /// The pivot cannot be asked and the read wanted its state (`ReadPreference.latest`).
    case pivotAway
    /// The server's disk is full: nothing was stored; reads go on.
    case storageFull
    /// Anything else that the server refuses. With the code `outcome-unknown` it may be done all the same.
    case refused(code: String, status: Int, message: String)
    /// Nobody answers at the URL, or the connection broke. Whether a write that ended so has been done is not known.
    case unreachable(String)
    /// No answer came in time. Whether a write that ended so has been done is not known.
    case timedOut
    /// The answer is none of the protocol.
    case unexpectedAnswer(String)
    /// The value at the path is not one of the wanted type.
    case undecodable(path: String, reason: String)
    /// The value cannot be written as JSON.
    case unencodable(reason: String)
    /// The URL names no server; with the reason.
    case invalidURL(String)
    /// The task was cancelled. Whether a write that ended so has been done is not known.
    case cancelled
    /// The client was shut down.
    case shutDown

    /// Stable, for machines.
    public var code: String {
        switch self {
        case .notFound: "not-found"
        case .invalidPath(_, let code), .invalidValue(_, let code), .unauthorized(_, let code): code
        case .tooLarge: "too-large"
        case .forbidden: "forbidden"
        case .notReady: "not-ready"
        case .pivotAway: "pivot-away"
        case .storageFull: "storage-full"
        case .refused(let code, _, _): code
        case .unreachable: "unreachable"
        case .timedOut: "timed-out"
        case .unexpectedAnswer: "unexpected-answer"
        case .undecodable: "undecodable"
        case .unencodable: "unencodable"
        case .invalidURL: "invalid-url"
        case .cancelled: "cancelled"
        case .shutDown: "shut-down"
        }
    }

    /// Whether the same request may succeed later, with nothing changed in the program.
    public var isTransient: Bool {
        switch self {
        case .notReady, .pivotAway, .storageFull, .unreachable, .timedOut: true
        case .refused(_, let status, _): status >= 500
        default: false
        }
    }
}

extension GimbalError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let path): "nothing is at \(path)"
        case .invalidPath(let message, _), .invalidValue(let message, _), .tooLarge(let message),
            .unauthorized(let message, _), .forbidden(let message), .refused(_, _, let message):
            "\(code): \(message)"
        case .notReady: "not-ready: the first copy of the space is not here yet"
        case .pivotAway: "pivot-away: the pivot cannot be asked"
        case .storageFull: "storage-full: no space left on the server's disk"
        case .unreachable(let reason): "unreachable: \(reason)"
        case .timedOut: "no answer in time"
        case .unexpectedAnswer(let what): "unexpected answer: \(what)"
        case .undecodable(let path, let reason): "the value at \(path) cannot be decoded: \(reason)"
        case .unencodable(let reason): "the value cannot be encoded: \(reason)"
        case .invalidURL(let reason): "this is not the URL of a server: \(reason)"
        case .cancelled: "cancelled"
        case .shutDown: "the client was shut down"
        }
    }
}

extension GimbalError {
    /// What a server's refusal means.
    package init(_ answer: TransportAnswer, target: String) {
        let message = String(decoding: answer.body, as: UTF8.self)
        let code = answer.errorCode ?? "status-\(answer.status)"
        self =
            switch (answer.status, code) {
            case (404, "not-found"): .notFound(path: target)
            case (400, "invalid-path"), (400, "reserved-path"), (400, "outside-space"), (400, "pattern"):
                .invalidPath(message, code: code)
            case (400, _): .invalidValue(message, code: code)
            case (401, _): .unauthorized(message, code: code)
            case (403, _): .forbidden(message)
            case (413, _): .tooLarge(message)
            case (503, "not-ready"): .notReady
            case (503, "pivot-away"): .pivotAway
            case (507, _): .storageFull
            default: .refused(code: code, status: answer.status, message: message)
            }
    }
}
