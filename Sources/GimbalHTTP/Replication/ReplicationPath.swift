import GimbalCRDT
import GimbalWire

/// The replication routes, as both sides spell them.
enum ReplicationPath {
    static let spaces = "/_pivot/v1/spaces"

    static func certificate(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/certificate" }
    static func join(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/join" }
    /// At a node: the trigger.
    static func pull(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/pull" }
    static func push(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/push" }
    static func place(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/place" }
    static func log(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/log" }

    static let contentType = "application/cbor"
    static let signedContentType = "application/cose"
    static let streamContentType = "application/vnd.gimbal.pages"

    /// The body of a join; may be empty.
    struct JoinBody: Codable, Sendable {
        /// Where the pivot can tell this node to pull.
        var reachableAt: String?
    }

    /// What `spaces` answers.
    struct Directory: Codable, Sendable {
        struct Entry: Codable, Sendable {
            var space: String
            /// In the process that leads it.
            var name: String
        }

        var spaces: [String]
        var named: [Entry]?
    }

    /// `epoch=1-ab&position=17&root=…&own=…&follow=1`
    struct LogQuery: Hashable {
        var cursor: Cursor
        /// Deltas of this incarnation of the asking author come as receipts.
        var ownIncarnation: UInt64?
        var isFollowing: Bool

        var text: String {
            var text =
                "epoch=\(cursor.epoch.number)-\(String(cursor.epoch.random, radix: 16))&position=\(cursor.position)&root=\(cursor.logRoot.hex)"
            if let ownIncarnation { text += "&own=\(String(ownIncarnation, radix: 16))" }
            if isFollowing { text += "&follow=1" }
            return text
        }

        init(cursor: Cursor, ownIncarnation: UInt64?, isFollowing: Bool) {
            self.cursor = cursor
            self.ownIncarnation = ownIncarnation
            self.isFollowing = isFollowing
        }

        /// Nil for anything that `text` does not make.
        init?(_ text: String) {
            var values: [Substring: Substring] = [:]
            for pair in text.split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                guard parts.count == 2 else { return nil }
                values[parts[0]] = parts[1]
            }
            let epoch = (values["epoch"] ?? "").split(separator: "-")
            guard epoch.count == 2, let number = UInt64(epoch[0]), let random = UInt64(epoch[1], radix: 16),
                let position = values["position"].flatMap({ UInt64($0) }), position < .max,
                let root = values["root"].flatMap({ Digest(hex: $0) })
            else { return nil }
            cursor = Cursor(epoch: Epoch(number: number, random: random), position: position, logRoot: root)
            ownIncarnation = values["own"].flatMap { UInt64($0, radix: 16) }
            isFollowing = values["follow"] == "1"
        }
    }

    /// In a stream of pages each is preceded by its length, four bytes big-endian. A length of zero is a sign of life.
    static func frame(_ page: [UInt8]) -> [UInt8] {
        let count = UInt32(page.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> UInt32($0)) } + page
    }
}
