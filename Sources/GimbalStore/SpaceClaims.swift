import Foundation
import GimbalCRDT

/// Which space of a process owns which patterns. No path has two owners: whoever comes first keeps it.
public struct SpaceClaims: Sendable {
    /// Two spaces of one process that want the same paths.
    public struct Overlap: Error, Hashable, Sendable, CustomStringConvertible {
        public var space: String
        public var pattern: Pattern
        public var owner: String
        public var owned: Pattern

        public static let code = "spaces-overlap"

        public var description: String {
            "\(pattern) of space \"\(space)\" overlaps \(owned) of space \"\(owner)\": a path belongs to one space only"
        }
    }

    public private(set) var patterns: [String: [Pattern]] = [:]

    public init() {}

    /// What stands in a space's way.
    public func overlaps(_ wanted: [Pattern], of space: String) -> [Overlap] {
        var found: [Overlap] = []
        for (owner, owned) in patterns.sorted(by: { $0.key < $1.key }) where owner != space {
            for pattern in wanted {
                for other in owned where pattern.overlaps(other) {
                    found.append(Overlap(space: space, pattern: pattern, owner: owner, owned: other))
                }
            }
        }
        return found
    }

    /// Gives a space what no other owns.
    ///
    /// - Returns: what was not given, and why.
    public mutating func claim(_ wanted: [Pattern], for space: String) -> [Overlap] {
        let overlaps = overlaps(wanted, of: space)
        let contested = Set(overlaps.map(\.pattern))
        var owned = patterns[space] ?? []
        for pattern in wanted where !contested.contains(pattern) && !owned.contains(pattern) { owned.append(pattern) }
        patterns[space] = owned
        return overlaps
    }

    /// The space owns nothing any more.
    public mutating func release(_ space: String) { patterns[space] = nil }
}

/// What a space owned when its process last ran, so that after a restart the first one still has it: one small file in the
/// space's folder.
public struct StoredClaims: Codable, Hashable, Sendable {
    public var space: String
    public var patterns: [String]

    static let fileName = "claims.json"

    public init(space: SpaceID, patterns: [Pattern]) {
        self.space = space.hex
        self.patterns = patterns.map(\.description)
    }

    /// Nil only where none are stored.
    public static func read(_ folder: DataFolder) throws(DataFolder.Failure) -> StoredClaims? {
        guard let bytes = try folder.readFile(fileName) else { return nil }
        if let claims = try? JSONDecoder().decode(StoredClaims.self, from: Data(bytes)) { return claims }
        throw .damaged(
            path: "\(folder.path)/\(fileName)",
            advice: "put it back from a backup, or move it away: the space owns then what its settings say")
    }

    public func write(_ folder: DataFolder) throws(DataFolder.Failure) {
        if let stored = try? Self.read(folder), stored == self { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { preconditionFailure("strings are JSON") }
        try folder.writeFile(Self.fileName, Array(data))
    }

    /// The patterns, if they are of this space; nil: of whatever space the folder held.
    public func patterns(of id: SpaceID?) -> [Pattern] {
        guard id == nil || id?.hex == space else { return [] }
        return patterns.compactMap { Pattern($0) }
    }
}
