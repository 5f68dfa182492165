import GimbalCRDT

/// Paths and patterns as docs/wire-format.md §1 and §5 say them. The input is lines: a pattern, another, and paths.
enum PathProperties {
    static func check(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        let paths = lines.compactMap(checkPath)
        let patterns = lines.prefix(2).compactMap(checkPattern)
        for pattern in patterns {
            for path in paths { checkMatch(pattern, path) }
        }
        guard patterns.count == 2 else { return }
        checkOverlap(patterns[0], patterns[1], paths)
    }

    private static func checkPath(_ bytes: [UInt8]) -> Path? {
        let path = Path(bytes)
        require((path != nil) == isPath(bytes), "exactly the paths of the grammar are paths")
        guard let path else { return nil }
        require(path.bytes == bytes, "a path is its bytes")
        require(Path(path.description) == path, "a path is its text")
        let segments = path.segments.map { Array($0) }
        require(Array(segments.joined(separator: [UInt8(ascii: "/")])) == bytes, "segments make the path")
        require(path.isRegister == (segments.count == 1), "one segment is a register")
        require(path.isReserved == (bytes[0] == UInt8(ascii: "_")), "a record begins with _")
        require(Array(path.index.utf8) == segments.last, "the index is the last segment")
        return path
    }

    private static func isPath(_ bytes: [UInt8]) -> Bool {
        guard (1...512).contains(bytes.count), let text = String(validating: bytes, as: UTF8.self) else { return false }
        let segments = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return segments.enumerated().allSatisfy { index, segment in
            let inner = index == 0 && segment.first == UInt8(ascii: "_") ? segment.dropFirst() : segment
            guard let first = inner.first, let last = inner.last else { return false }
            return isLetterOrDigit(first) && isLetterOrDigit(last)
                && inner.allSatisfy { isLetterOrDigit($0) || "._-".utf8.contains($0) }
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8.contains(byte)
    }

    private static func checkPattern(_ bytes: [UInt8]) -> Pattern? {
        let text = String(decoding: bytes, as: UTF8.self)
        let pattern = Pattern(text)
        require((pattern != nil) == isPattern(bytes), "exactly the patterns of the grammar are patterns")
        guard let pattern else { return nil }
        require(pattern.description == text && Pattern(pattern.description) == pattern, "a pattern is its text")
        if let path = Path(bytes) {
            require(Pattern(path) == pattern && !pattern.isGlob && pattern.matches(path), "a path is the pattern of itself")
        }
        return pattern
    }

    private static func isPattern(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= 512 else { return false }
        let segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return segments.enumerated().allSatisfy { index, segment in
            if segment.elementsEqual("*".utf8) { return true }
            if segment.elementsEqual("**".utf8) { return index == segments.count - 1 }
            return isPath(Array(segment)) && segment.first != UInt8(ascii: "_")
        }
    }

    private static func checkMatch(_ pattern: Pattern, _ path: Path) {
        let isMatch = pattern.matches(path)
        let parts = pattern.description.split(separator: "/", omittingEmptySubsequences: false)
        let segments = path.description.split(separator: "/", omittingEmptySubsequences: false)
        require(isMatch == (!path.isReserved && matches(parts[...], segments[...])), "\(pattern) matches \(path): \(isMatch)")
        guard isMatch else { return }
        require(path.bytes.starts(with: pattern.fixedPrefix), "a path that matches begins with the fixed prefix")
        if let prefix = pattern.collectionPrefix {
            let index = path.bytes.dropFirst(prefix.count)
            require(index.elementsEqual(path.index.utf8), "a collection's pattern matches what is directly under it")
        }
    }

    private static func matches(_ parts: ArraySlice<Substring>, _ segments: ArraySlice<Substring>) -> Bool {
        guard let part = parts.first else { return segments.isEmpty }
        guard let segment = segments.first else { return false }
        if part == "**" { return true }
        return (part == "*" || part == segment) && matches(parts.dropFirst(), segments.dropFirst())
    }

    private static func checkOverlap(_ one: Pattern, _ two: Pattern, _ paths: [Path]) {
        let isOverlap = one.overlaps(two)
        require(isOverlap == two.overlaps(one), "overlapping has no direction")
        require(one.overlaps(one), "every pattern overlaps itself")
        for path in paths where one.matches(path) && two.matches(path) {
            require(isOverlap, "\(path) matches both \(one) and \(two)")
        }
        guard let example = example(one, two) else { return }
        require(
            isOverlap == (one.matches(example) && two.matches(example)), "\(example) matches both if anything does")
    }

    /// The path to try when two patterns may share one: the exact segments of either, and `x` for the rest.
    private static func example(_ one: Pattern, _ two: Pattern) -> Path? {
        let left = one.description.split(separator: "/")
        let right = two.description.split(separator: "/")
        let segments = (0..<max(left.count, right.count)).map { index -> Substring in
            let candidates = [left, right].compactMap { $0.indices.contains(index) ? $0[index] : nil }
            return candidates.first { !$0.hasPrefix("*") } ?? "x"
        }
        return Path(segments.joined(separator: "/"))
    }
}
