import GimbalCRDT
import GimbalWire

/// The space's own records as a bundle has shown them so far: its patterns, and what each member may write. They come in the
/// order of the log, so every delta is judged by the grants in force at its place.
struct BundleRecords {
    private var states: [Path: PathState] = [:]
    private var members: [AuthorID: MemberGrants] = [:]
    private var patterns: [Pattern] = []

    private struct MemberGrants {
        var writes: [Pattern]
        var isRevoked: Bool

        /// Nil when it is not the JSON of a member.
        init?(json: [UInt8]) {
            guard let value = try? JSONValue(parsing: json), let writes = value["writes"]?.array else { return nil }
            self.writes = writes.compactMap { $0.string.flatMap { Pattern($0) } }
            isRevoked = value["revoked"]?.bool ?? false
        }

        /// Of two concurrent records the least grants hold.
        func least(of other: Self) -> Self {
            var least = self
            least.writes = writes.filter(other.writes.contains)
            least.isRevoked = isRevoked || other.isRevoked
            return least
        }
    }

    /// Takes in a write of the pivot; paths that are no records are no matter of it.
    mutating func apply(_ effect: Effect, to path: Path) {
        guard path.isReserved else { return }
        let state = PathState.applying(effect, to: states[path])
        states[path] = state
        if path.isRegister, path.index == "_settings" {
            let settings = state?.visible?.value.flatMap { try? JSONValue(parsing: $0) }
            patterns = settings?["patterns"]?.array?.compactMap { $0.string.flatMap { Pattern($0) } } ?? []
        }
        let segments = path.segments
        guard segments.count == 2, segments[0].elementsEqual("_members".utf8), let author = AuthorID(hex: path.index) else {
            return
        }
        let records = (state?.writes ?? []).compactMap { $0.value.flatMap(MemberGrants.init(json:)) }
        members[author] = records.dropFirst().reduce(records.first) { $0?.least(of: $1) }
    }

    /// Why the pivot should not have taken a write of a member, as things stand; nil if it should have.
    func objection(to path: Path, by author: AuthorID) -> BundleFinding.Code? {
        guard let member = members[author], !member.isRevoked else { return .notAMember }
        guard member.writes.contains(where: { $0.matches(path) }) else { return .forbidden }
        return objection(to: path)
    }

    /// Why nobody may write a path that is no record of the space's own; nil if somebody may.
    func objection(to path: Path) -> BundleFinding.Code? {
        patterns.contains { $0.matches(path) } ? nil : .outsideSpace
    }
}
