import AsyncHTTPClient
import Foundation
import GimbalReplication
import NIOCore
import NIOHTTP1

/// An answer that no pivot has signed: an error of the pivot's server, or what something on the way said in its place.
struct WayRefusal: Hashable, Sendable {
    /// What was asked, such as `POST push`.
    let request: String
    let status: Int
    /// The `Gimbal-Error` of a Gimbal server; empty where it was none.
    let code: String
    /// The first words of the answer, without markup.
    let words: String
    /// How long the sender shall wait, as it was told; bounded.
    let retryAfter: Duration?

    init(_ request: String, _ response: HTTPClientResponse, _ body: [UInt8]) {
        self.request = request
        status = Int(response.status.code)
        code = response.headers.first(name: "Gimbal-Error").map { Self.printable($0, 64) } ?? ""
        words = Self.words(String(decoding: body.prefix(1024), as: UTF8.self))
        retryAfter = response.headers.first(name: "Retry-After").flatMap { Self.retryAfter($0) }
    }

    /// Whether a Gimbal server said it, and not something on the way.
    var isOfServer: Bool { !code.isEmpty }

    /// What the exchange learns of it.
    var refusal: Exchange.Refusal {
        Exchange.Refusal(status: status, code: code, sentence: sentence, retryAfter: retryAfter)
    }

    /// The same for the same answer, however often it comes.
    var sentence: String {
        let who = isOfServer ? "the pivot" : "something on the way to the pivot"
        let what = [String(status), code, words].filter { !$0.isEmpty }.joined(separator: " ")
        return "\(who) answered \(request) with \(what)"
    }

    /// What a person can read of an answer.
    static func words(_ body: String) -> String {
        printable(body.replacing(/<[^>]*>/, with: " "), 120)
    }

    private static func printable(_ text: String, _ limit: Int) -> String {
        let words = text.split { $0.isWhitespace || $0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
        return String(words.joined(separator: " ").prefix(limit))
    }

    /// Seconds, or a date (RFC 9110 §10.2.3); nil for anything else.
    static func retryAfter(_ text: String, now: Date = Date()) -> Duration? {
        let seconds: Double
        if let number = UInt32(text) {
            seconds = Double(number)
        } else {
            let format = DateFormatter()
            format.locale = Locale(identifier: "en_US_POSIX")
            format.timeZone = TimeZone(identifier: "GMT")
            format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            guard let date = format.date(from: text) else { return nil }
            seconds = max(0, date.timeIntervalSince(now))
        }
        return min(.seconds(seconds), Patience.greatestRetryAfter)
    }
}
