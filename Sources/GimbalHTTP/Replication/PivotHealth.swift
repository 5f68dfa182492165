import Foundation
import GimbalCRDT
import GimbalWire
import Synchronization

/// Which nodes follow, how far they are, and when they were last heard: what `/_pivot/health/nodes` shows.
final class PivotHealth: Sendable {
    private struct Node {
        var address: String
        var streams = 0
        var lastCheck: Date
        var position: UInt64
        /// Whether it answered the last trigger since it stopped following.
        var answersTriggers = false
        /// The node's clock minus the pivot's, as the node estimates it.
        var skewMilliseconds: Int64?
        var isCapped = false
    }

    private let nodes = Mutex<[AuthorID: Node]>([:])
    /// Told of already; bounded, because anybody can be one.
    private let strangers = Mutex<Set<AuthorID>>([])
    private static let strangerLimit = 1000

    /// Whether a stranger was not told of yet.
    func isNews(stranger author: AuthorID) -> Bool {
        strangers.withLock { strangers in
            guard !strangers.contains(author) else { return false }
            if strangers.count >= Self.strangerLimit { strangers.removeAll() }
            strangers.insert(author)
            return true
        }
    }

    func heard(_ author: AuthorID, address: String, position: UInt64? = nil, streams change: Int = 0) {
        nodes.withLock { nodes in
            var node = nodes[author] ?? Node(address: address, lastCheck: Date(), position: 0)
            node.address = address
            node.lastCheck = Date()
            node.streams += change
            if change != 0 { node.answersTriggers = false }
            node.position = max(node.position, position ?? 0)
            nodes[author] = node
        }
    }

    /// A node that does not follow was told to pull.
    func triggered(_ author: AuthorID, at address: String, isAnswered: Bool) {
        nodes.withLock { nodes in
            var node = nodes[author] ?? Node(address: address, lastCheck: Date(), position: 0)
            node.lastCheck = Date()
            node.answersTriggers = isAnswered
            nodes[author] = node
        }
    }

    /// Those that follow now.
    var following: Set<AuthorID> { nodes.withLock { nodes in Set(nodes.filter { $0.value.streams > 0 }.keys) } }

    /// The node's word on its clock.
    func heard(_ author: AuthorID, address: String, skewMilliseconds: Int64) {
        heard(author, address: address)
        nodes.withLock { $0[author]?.skewMilliseconds = skewMilliseconds }
    }

    /// Whether its stamps are so far ahead that they are capped.
    ///
    /// - Returns: whether that is news.
    func heard(_ author: AuthorID, isCapped: Bool) -> Bool {
        nodes.withLock { nodes in
            guard let known = nodes[author], known.isCapped != isCapped else { return false }
            nodes[author]?.isCapped = isCapped
            return true
        }
    }

    struct Entry: Encodable {
        var address: String
        /// It follows, or answers triggers.
        var healthy: Bool
        var following: Bool
        var lastCheck: String
        var `protocol`: String
        var compatible: Bool
        var author: String
        /// Name of the space in this process.
        var space: String
        /// Where the log ended for it when it was last heard.
        var position: UInt64
        /// Log entries that were not sent yet. What waits at a node that is away is not known here.
        var lag: UInt64
        /// How far its clock is ahead of the pivot's; nil until it has said so.
        var clockSkewMilliseconds: Int64?
        /// Since it was last heard.
        var silentSeconds: Double
    }

    func entries(of space: String, logEnd: UInt64) -> [Entry] {
        let known = nodes.withLock { $0 }
        return known.map { author, node in
            Entry(
                address: node.address, healthy: node.streams > 0 || node.answersTriggers, following: node.streams > 0,
                lastCheck: node.lastCheck.formatted(.iso8601),
                protocol: "gimbal/1", compatible: true, author: author.hex, space: space,
                position: min(node.position, logEnd),
                lag: logEnd - min(node.position, logEnd), clockSkewMilliseconds: node.skewMilliseconds,
                silentSeconds: max(0, -node.lastCheck.timeIntervalSinceNow))
        }.sorted { $0.author < $1.author }
    }
}
