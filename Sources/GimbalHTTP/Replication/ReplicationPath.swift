import GimbalCRDT
import GimbalStore
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
    static func snapshot(_ space: SpaceID) -> String { "\(spaces)/\(space.hex)/snapshot" }

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

    /// `epoch=1-ab&position=17&root=…`
    private static func text(of cursor: Cursor) -> String {
        let epoch = "\(cursor.epoch.number)-\(String(cursor.epoch.random, radix: 16))"
        return "epoch=\(epoch)&position=\(cursor.position)&root=\(cursor.logRoot.hex)"
    }

    private static func cursor(_ values: [Substring: Substring]) -> Cursor? {
        let epoch = (values["epoch"] ?? "").split(separator: "-")
        guard epoch.count == 2, let number = ordinal(epoch[0]), let random = UInt64(epoch[1], radix: 16),
            let position = ordinal(values["position"]),
            let root = values["root"].flatMap({ Digest(hex: $0) })
        else { return nil }
        return Cursor(epoch: Epoch(number: number, random: random), position: position, logRoot: root)
    }

    /// A number of a query that is counted from or added to.
    private static func ordinal(_ text: Substring?) -> UInt64? {
        text.flatMap { UInt64($0) }.flatMap { $0 < Limits.ordinalLimit ? $0 : nil }
    }

    private static func values(_ text: String) -> [Substring: Substring]? {
        var values: [Substring: Substring] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            values[parts[0]] = parts[1]
        }
        return values
    }

    /// Where a snapshot goes on: its checkpoint's cursor, the section, and in it the position of the last entry that is there;
    /// `section=entries&after=17&count=12`. Empty for one from its beginning.
    enum SnapshotQuery {
        static func text(_ place: SnapshotPlace?) -> String {
            guard let place else { return "" }
            let cursor = ReplicationPath.text(of: place.cursor)
            switch place.section {
            case .head: return "\(cursor)&section=head"
            case .entries(let after, let count): return "\(cursor)&section=entries&after=\(after)&count=\(count)"
            case .replicas(let count): return "\(cursor)&section=replicas&count=\(count)"
            }
        }

        /// Nil for anything that `text` does not make.
        static func place(_ text: String) -> SnapshotPlace?? {
            if text.isEmpty { return .some(nil) }
            guard let values = ReplicationPath.values(text), let cursor = ReplicationPath.cursor(values) else { return nil }
            let (after, count) = (ReplicationPath.ordinal(values["after"]), ReplicationPath.ordinal(values["count"]))
            guard (after == nil) == (values["after"] == nil), (count == nil) == (values["count"] == nil) else { return nil }
            // There are no more entries than positions.
            switch (values["section"], after, count) {
            case ("head", nil, nil): return SnapshotPlace(cursor: cursor, section: .head)
            case ("entries", .some(let after), .some(let count)) where count <= after && after <= cursor.position:
                return SnapshotPlace(cursor: cursor, section: .entries(after: after, count: count))
            case ("replicas", nil, .some(let count)) where count <= cursor.position:
                return SnapshotPlace(cursor: cursor, section: .replicas(entries: count))
            default: return nil
            }
        }
    }

    /// `epoch=1-ab&position=17&root=…&own=…&follow=1`
    struct LogQuery: Hashable {
        var cursor: Cursor
        /// Deltas of this incarnation of the asking author come as receipts.
        var ownIncarnation: UInt64?
        var isFollowing: Bool

        var text: String {
            var text = ReplicationPath.text(of: cursor)
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
            guard let values = ReplicationPath.values(text), let cursor = ReplicationPath.cursor(values) else { return nil }
            self.cursor = cursor
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
