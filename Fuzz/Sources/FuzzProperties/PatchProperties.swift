import GimbalWire

/// PATCH: what a body does to a document, and the JSON Patch that tells subscribers of a change. The input is two texts, parted
/// by a byte that no text contains.
enum PatchProperties {
    private static let separator: UInt8 = 0x1e

    static func check(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
        guard parts.count == 2 else { return }
        checkMerge(document: parts[0], patch: parts[1])
        checkChange(from: parts[0], to: parts[1])
    }

    private static func checkMerge(document: [UInt8], patch: [UInt8]) {
        let merged = try? JSONMerge.merge(document: document, patch: patch)
        let old = ReferenceJSON(document)
        let changes: [[UInt8]: ReferenceJSON]? =
            if case .object(let members) = ReferenceJSON(patch) { members } else { nil }
        require((merged != nil) == (old != nil && changes != nil), "an object patches a text")
        guard let merged, let old, let changes else { return }
        guard let new = ReferenceJSON(merged) else { return require(false, "the result is JSON, no deeper than a text may be") }
        switch (old, new) {
        case (.object(let before), .object(let after)):
            require(Set(after.keys) == Set(before.keys).union(changes.keys), "members are kept, changed or added")
            for (name, value) in before where changes[name] == nil { require(after[name] == value, "the others stay") }
            for (name, value) in changes where before[name] == nil { require(after[name] == value, "new ones are taken") }
        case (.array(let before), .array(let after)):
            require(after.count == before.count, "an array keeps its length")
        default: require(new == old, "a scalar stays")
        }
    }

    private static func checkChange(from old: [UInt8], to new: [UInt8]) {
        // The reference copies the document with each operation.
        guard old.count + new.count < 16_384 else { return }
        guard let before = try? JSONValue(parsing: old), let after = try? JSONValue(parsing: new) else { return }
        var writer = JSONPatchWriter()
        writer.change(before, to: after, at: .root)
        let text = [UInt8(ascii: "[")] + writer.operations + [UInt8(ascii: "]")]
        guard let patch = ReferenceJSON(text) else { return require(false, "a JSON Patch is JSON") }
        require(ReferenceJSON(old)?.applying(patch) == ReferenceJSON(new), "who applies the change has the new value")
        require(writer.isEmpty == (ReferenceJSON(old) == ReferenceJSON(new)), "no change, no patch")
    }
}
