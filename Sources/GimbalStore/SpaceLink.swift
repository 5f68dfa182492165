import Foundation
import GimbalCRDT

/// Which space a node is of, where its pivot is, and which database holds its copy: one small file, replaced as a whole, so
/// that a pivot change happens entirely or not at all.
public struct SpaceLink: Codable, Hashable, Sendable {
    public var space: String
    public var pivotURL: String
    /// Under `spaces/`.
    public var folder: String
    /// What the operator named: an id, or the pivot's name for the space; nil for the only one there.
    public var wanted: String?
    /// Databases of which nothing is needed any more once `folder` is there: what a pivot change that is cut off leaves.
    public var leftOver: [String]?

    static let fileName = "replication.json"

    public init(space: SpaceID, pivotURL: String, folder: String, wanted: String? = nil) {
        self.space = space.hex
        self.pivotURL = pivotURL
        self.folder = folder
        self.wanted = wanted
    }

    public var spaceID: SpaceID? { SpaceID(hex: space) }

    /// Nil in a folder that never followed a space.
    public static func read(_ folder: DataFolder) throws(DataFolder.Failure) -> SpaceLink? {
        guard let bytes = try folder.readFile(fileName) else { return nil }
        guard let link = try? JSONDecoder().decode(SpaceLink.self, from: Data(bytes)), link.spaceID != nil else {
            throw .damaged(
                path: "\(folder.path)/\(fileName)",
                advice: "put it back from a backup, or move it away: the copy of the space that is there is followed then")
        }
        return link
    }

    public func write(_ folder: DataFolder) throws(DataFolder.Failure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { preconditionFailure("three strings are JSON") }
        try folder.writeFile(Self.fileName, Array(data))
    }
}
