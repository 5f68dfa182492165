import GimbalCRDT
import GimbalWire

/// What a space says about itself: its settings and members, kept as ordinary records (`_settings`, `_members/…`) that
/// only its pivot writes, so that they replicate like everything else and are in force from their position.
public struct SpaceRecords: Hashable, Sendable {
    public static let settingsPath = fixedPath("_settings")

    public private(set) var settings = SpaceSettings()
    public private(set) var members: [AuthorID: MemberRecord] = [:]

    public init() {}

    public static func memberPath(_ author: AuthorID) -> Path { fixedPath("_members/\(author.hex)") }

    /// Takes in what is now at a reserved path; it ignores all other paths.
    public mutating func update(_ path: Path, _ state: PathState?) {
        guard path.isReserved else { return }
        if path == Self.settingsPath {
            settings = state?.visible?.value.flatMap(SpaceSettings.init(json:)) ?? SpaceSettings()
            return
        }
        let segments = path.segments
        guard segments.count == 2, segments[0].elementsEqual("_members".utf8),
            let author = AuthorID(hex: String(decoding: segments[1], as: UTF8.self))
        else { return }
        let records = (state?.writes ?? []).compactMap { $0.value.flatMap(MemberRecord.init(json:)) }
        members[author] = records.dropFirst().reduce(records.first) { $0?.least(of: $1) }
    }

    /// Whether a path belongs to the space.
    public func contains(_ path: Path) -> Bool {
        settings.patterns.contains { $0.matches(path) }
    }

    /// Whether an author may write a path: nobody but the pivot writes a space's own records.
    public func mayWrite(_ author: AuthorID, _ path: Path) -> Bool {
        guard let member = members[author], !member.isRevoked, !path.isReserved else { return false }
        return member.writes.contains { $0.matches(path) }
    }

    private static func fixedPath(_ text: String) -> Path {
        guard let path = Path(text) else { preconditionFailure("\(text) is a path") }
        return path
    }
}

/// A space's settings, the value of `_settings`.
public struct SpaceSettings: Hashable, Sendable {
    public static let knownFormatLevel: Int64 = 1

    /// Which paths are in the space; grows only.
    public var patterns: [Pattern] = []
    public var maxClockAheadMilliseconds: UInt64 = 30_000
    /// A year: more would bring stamps near the end of their range.
    public static let hardMaximumClockAheadMilliseconds: Int64 = 366 * 86_400_000
    /// Which operation kinds may be used.
    public var formatLevel: Int64 = 1
    public var limits = Limits()

    public init() {}

    /// Nil when it is not the JSON of settings.
    public init?(json: [UInt8]) {
        guard let value = try? JSONValue(parsing: json), let patterns = value["patterns"]?.array else { return nil }
        self.patterns = patterns.compactMap { $0.string.flatMap { Pattern($0) } }
        if let ahead = value["maxClockAhead"]?.integer, ahead >= 0 {
            maxClockAheadMilliseconds = UInt64(min(ahead, Self.hardMaximumClockAheadMilliseconds))
        }
        if let level = value["formatLevel"]?.integer { formatLevel = level }
        if let bytes = value["valueBytes"]?.integer, (1...Int64(Limits.hardMaximumValueBytes)).contains(bytes) {
            limits.valueBytes = Int(bytes)
        }
    }

    public var json: [UInt8] {
        JSONValue.object([
            ("patterns", .array(patterns.map { .string($0.description) })),
            ("maxClockAhead", .number("\(maxClockAheadMilliseconds)")),
            ("formatLevel", .number("\(formatLevel)")),
            ("valueBytes", .number("\(limits.valueBytes)")),
        ]).write()
    }
}

/// Who a member is and what it may write, the value of `_members/<author>`.
public struct MemberRecord: Hashable, Sendable {
    public var name: String
    /// Patterns that it may write.
    public var writes: [Pattern]
    public var isRevoked: Bool

    public init(name: String, writes: [Pattern], isRevoked: Bool = false) {
        self.name = name
        self.writes = writes
        self.isRevoked = isRevoked
    }

    /// Nil when it is not the JSON of a member.
    public init?(json: [UInt8]) {
        guard let value = try? JSONValue(parsing: json), let writes = value["writes"]?.array else { return nil }
        name = value["name"]?.string ?? ""
        self.writes = writes.compactMap { $0.string.flatMap { Pattern($0) } }
        isRevoked = value["revoked"]?.bool ?? false
    }

    public var json: [UInt8] {
        JSONValue.object([
            ("name", .string(name)),
            ("writes", .array(writes.map { .string($0.description) })),
            ("revoked", .bool(isRevoked)),
        ]).write()
    }

    /// Of two concurrent records the least grants hold.
    func least(of other: MemberRecord) -> MemberRecord {
        MemberRecord(
            name: name, writes: writes.filter(other.writes.contains), isRevoked: isRevoked || other.isRevoked)
    }
}
