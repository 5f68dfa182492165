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
        let replaced = try? JSONMerge.merge(document: document, patch: patch, rule: .mergePatch)
        guard let old = ReferenceJSON(document), let changes = ReferenceJSON(patch) else {
            return require(merged == nil && replaced == nil, "a text patches a text")
        }
        require(merged.flatMap { ReferenceJSON($0) } == old.merged(with: changes), "objects merge as ooo's do")
        require(replaced.flatMap { ReferenceJSON($0) } == old.mergePatched(with: changes), "a merge patch is RFC 7396's")
        for result in [merged, replaced].compactMap({ $0 }) { checkText(of: result, document, patch) }
        if let again = try? JSONMerge.merge(document: document, patch: Array("{}".utf8)) {
            require(again == document, "what no patch names stays byte for byte")
        }
    }

    /// Whether every name, string and number of the result stands so in one of the texts that it came from.
    private static func checkText(of result: [UInt8], _ document: [UInt8], _ patch: [UInt8]) {
        require(result.count <= document.count + patch.count + 1, "nothing grows on the way")
        guard result.count < 4096 else { return }
        let known = Set(ReferenceJSON.tokens(document)).union(ReferenceJSON.tokens(patch))
        require(ReferenceJSON.tokens(result).allSatisfy(known.contains), "every part is carried as it was written")
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
        // Written in another way is a change, too: values come back as they were written.
        require(!writer.isEmpty || ReferenceJSON(old) == ReferenceJSON(new), "no patch, no change")
        require(writer.isEmpty || old != new, "no change, no patch")
    }
}
