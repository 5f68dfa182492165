import GimbalCRDT
import GimbalSigning
import GimbalWire

/// Verified implies unmodified, with real keys. The input is a script of edits to something that was signed: what verifies
/// after them shows nothing that was not signed.
enum TamperProperties {
    private static let scene = Scene.shared
    private static let deltas = scene.deltas + scene.unplaced
    private static let file = Scene.file(scene.bundleItems)
    /// What the bundle proves, by dot.
    private static let proven: [Dot: ProvenOperation] = {
        let whole = BundleProperties.verify(file, space: scene.space, chunk: 1 << 20)
        precondition(whole.report.isValid && whole.proven.count == 16, "the untouched bundle holds")
        return Dictionary(uniqueKeysWithValues: whole.proven.map { ($0.dot, $0) })
    }()

    static func check(_ bytes: [UInt8]) {
        var script = Script(bytes)
        switch script.below(3) {
        case 0: checkDelta(&script)
        case 1: checkBundle(edited(file, &script))
        default: checkItems(&script)
        }
    }

    private static func checkDelta(_ script: inout Script) {
        var original = script.element(of: deltas)
        if script.flag() {
            let mask = script.byte()
            original = original.pruned(keeping: { mask >> UInt8($0) & 1 == 1 }, scene.primitives)
        }
        let bytes = edited(original.sealed.bytes, &script)
        guard let delta = try? SealedDelta(decoding: bytes), let verified = try? delta.verified(scene.primitives) else { return }
        require(deltas.contains { $0.headerHash == verified.headerHash }, "a verified header was signed")
        guard let signed = deltas.first(where: { $0.headerHash == verified.headerHash }) else { return }
        require(verified.header == signed.header, "a verified header is the signed one")
        for index in 0..<signed.header.count where verified.isShown(index) {
            require(verified.operationBytes(index) == signed.operationBytes(index), "operation \(index) is the signed one")
        }
    }

    /// Every byte of a bundle is under a signature or a hash.
    private static func checkBundle(_ bytes: [UInt8]) {
        let result = BundleProperties.verify(bytes, space: scene.space, chunk: 1 << 20)
        require(result.report.isValid == (bytes == file), "only the untouched bundle holds")
        checkProven(result.proven)
    }

    /// A bundle with other items, and the end that they need: it may hold, but proves no more than what was signed.
    private static func checkItems(_ script: inout Script) {
        let items = scene.bundleItems
        var chosen: [BundleItem] = [items[0]]
        while !script.isAtEnd, chosen.count < 24 {
            let choice = script.byte()
            var item = items[Int(choice & 0x0f) % items.count]
            if choice & 0x10 != 0, case .entry(var entry) = item { changeEntry(&entry, &script); item = .entry(entry) }
            if choice & 0x20 != 0 {
                guard let changed = try? BundleItem(decoding: edited(item.encoded, &script), isFirst: false) else { continue }
                item = changed
            }
            chosen.append(item)
        }
        let result = BundleProperties.verify(Scene.file(chosen), space: scene.space, chunk: 1 << 20)
        checkProven(result.proven)
        let positions = result.proven.compactMap(\.position)
        require(positions == positions.sorted(), "what is proven comes in the order of the log")
    }

    private static func changeEntry(_ entry: inout BundleEntry, _ script: inout Script) {
        switch script.below(5) {
        case 0: entry.position = script.number()
        case 1: entry.entry.cap = HybridTimestamp(rawValue: script.number())
        case 2: entry.entry.refusals = [Refusal(index: script.below(4), reason: "forbidden")]
        case 3:
            guard case .delta(let sealed) = entry.entry.body, let delta = try? sealed.verified(scene.primitives) else { return }
            let mask = script.byte()
            entry.entry.body = .delta(delta.pruned(keeping: { mask >> UInt8($0) & 1 == 1 }, scene.primitives).sealed)
        default: entry.entry.body = .delta(script.element(of: deltas).sealed)
        }
    }

    private static func checkProven(_ operations: [ProvenOperation]) {
        for operation in operations {
            // An entry of the log may come as unplaced too: then it proves the author's word, not the pivot's.
            var expected = proven[operation.dot]
            if operation.position == nil, let known = expected, known.position != nil {
                expected?.position = nil
                expected?.stamp = operation.stamp
                expected?.effect = operation.effect
            }
            require(
                operation.dot.replica.author != scene.anna.author || operation.path != Scene.path("forbidden/4")
                    || operation.position == nil, "what was refused is not proven")
            guard let expected else {
                require(operation.position == nil, "\(operation.dot) at \(operation.path) was never in the log")
                continue
            }
            require(operation == expected, "\(operation.dot) proves what was signed")
        }
    }

    /// Up to eight edits, each a few bytes of the script.
    private static func edited(_ bytes: [UInt8], _ script: inout Script) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<(1 + script.below(8)) {
            let place = script.below(max(bytes.count, 1))
            let length = 1 + script.below(64)
            let range = min(place, bytes.count)..<min(place + length, bytes.count)
            switch script.below(6) {
            case 0: if place < bytes.count { bytes[place] ^= 1 << UInt8(script.below(8)) }
            case 1: if place < bytes.count { bytes[place] = script.byte() }
            case 2: bytes.removeSubrange(range)
            case 3: bytes.insert(contentsOf: script.take(length), at: range.lowerBound)
            case 4: bytes.insert(contentsOf: bytes[range], at: range.lowerBound)
            default:
                let other = script.element(of: deltas).sealed.bytes
                let from = script.below(other.count)
                bytes.replaceSubrange(range, with: other[from...].prefix(length))
            }
        }
        return bytes
    }
}
