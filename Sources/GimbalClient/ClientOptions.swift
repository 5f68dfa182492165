import Foundation
import Logging
import NIOCore
import NIOSSL

extension GimbalClient {
    /// How a client behaves; every value has a default.
    public struct Options: Sendable {
        /// Sent as `Authorization: Bearer` with everything.
        public var token: String?
        /// How long a request may take, its answer included, and a subscription until it is answered.
        public var requestTimeout = Duration.seconds(30)
        public var connectTimeout = Duration.seconds(5)
        /// A subscription asks the server for a sign of life this often, and takes it for gone when it gives none until the next.
        public var keepAliveInterval = Duration.seconds(15)
        public var reconnect = Reconnect()
        /// Of one answer or message, a whole list included.
        public var maximumMessageBytes = 256 << 20
        /// Which certificates are trusted, for `https` URLs.
        public var tlsConfiguration = TLSConfiguration.makeClientConfiguration()
        public var encoder = JSONEncoder()
        public var decoder = JSONDecoder()
        /// Hears of connections that break and come back (level info).
        public var logger: Logger?

        public init() {}
    }
}

extension TimeAmount {
    /// To the nanosecond; what is longer than three centuries is cut.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(min(seconds, Int64.max / 2_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
