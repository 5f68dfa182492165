import GimbalCRDT
import GimbalWire

extension SealedDelta {
    /// The paths of shown operations that somebody looks for, by their place in the delta, without decoding the others. For
    /// the log of this server's own, which was verified when it was written.
    func shownPaths(where isWanted: (ArraySlice<UInt8>) -> Bool) throws(WireError) -> [(index: Int, path: Path)] {
        var found: [(index: Int, path: Path)] = []
        var reader = CBORReader(bytes)
        try reader.array(of: 2)
        _ = try SignedPayload(from: &reader)
        var index = 0
        for _ in 0..<(try reader.arrayCount(upTo: Limits.hardMaximumOperationsPerDelta, "operations in a delta")) {
            var item = CBORReader(bytes, in: try reader.skip())
            _ = try item.arrayCount(upTo: 6, "fields of an operation")
            if try item.nextMajorType() == 2 {
                _ = try item.byteStringRange()
                index += try item.count(upTo: Limits.hardMaximumOperationsPerDelta, "leaves covered")
                continue
            }
            _ = try item.unsigned()
            _ = try item.unsigned()
            let name = try item.textRange()
            if isWanted(bytes[name]) {
                guard let path = Path(bytes[name]) else { throw WireError(.badPath, at: name.lowerBound) }
                found.append((index, path))
            }
            index += 1
        }
        return found
    }
}
