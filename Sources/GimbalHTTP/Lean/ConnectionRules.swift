import NIOCore

/// What a connection is allowed, the same for all of one address.
struct ConnectionRules: Sendable {
    /// Nil where no page gets to: at the operator's socket.
    var door: Door?
    var timeouts: ConnectionTimeouts
    var bodies: BodyBudget
    /// How long an answer that is under way may keep the server from stopping.
    var shutdown: TimeAmount
    /// Nil where connections are not counted.
    var places: ConnectionPlaces?
}
