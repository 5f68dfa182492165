import GimbalCRDT
import GimbalWire

/// The member records that a bundle has shown so far. Records of authors come before what those wrote, because a node is a
/// member before it writes; a later record replaces an earlier one.
struct BundleMembers {
    private var writes: [AuthorID: [Pattern]] = [:]

    mutating func learn(_ path: Path, _ value: [UInt8]?) {
        let segments = path.segments
        guard segments.count == 2, segments[0].elementsEqual("_members".utf8), let author = AuthorID(hex: path.index) else {
            return
        }
        let record = value.flatMap { try? JSONValue(parsing: $0) }
        let patterns = record?["writes"]?.array?.compactMap { $0.string.flatMap { Pattern($0) } }
        // A revoked member keeps what it wrote while it was one: only a record that never granted anything proves nothing.
        writes[author] = patterns ?? []
    }

    func mayWrite(_ author: AuthorID, _ path: Path) -> Bool {
        writes[author]?.contains { $0.matches(path) } ?? false
    }
}
