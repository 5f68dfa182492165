import GimbalCRDT
import GimbalSigning
import GimbalWire

/// Bundle files: items, and the verifier that reads them as a stream.
enum BundleProperties {
    static func check(_ bytes: [UInt8]) {
        let whole = verify(bytes, chunk: max(bytes.count, 1))
        // Signatures take nearly all the time, so not every input is verified in every way.
        if bytes.count.isMultiple(of: 4) { require(whole == verify(bytes, chunk: 97), "how the bytes arrive does not matter") }
        for finding in whole.report.findings {
            require((0...bytes.count).contains(finding.offset), "a finding is inside the file")
        }
        let items = leadingItems(
            of: bytes, { item, isFirst throws(WireError) in try BundleItem(decoding: item, isFirst: isFirst) }, \.encoded)
        if whole.report.isValid {
            require(items.joined().elementsEqual(bytes), "a valid file is its items")
            let flaw = bytes.count.isMultiple(of: 2) ? Array(bytes.dropLast()) : bytes + [0]
            require(!verify(flaw, chunk: 1 << 20).report.isValid, "a cut or longer file is not valid")
        } else if !whole.report.isComplete {
            checkEnded(items)
        }
    }

    /// The same items with the end that they need, which a fuzzer would never find.
    private static func checkEnded(_ items: [[UInt8]]) {
        guard let head = items.first.flatMap({ try? BundleItem(decoding: $0, isFirst: true) }) else { return }
        var writer = BundleWriter()
        var file = writer.bytes(of: head)
        for bytes in items.dropFirst() {
            guard let item = try? BundleItem(decoding: bytes, isFirst: false) else { return }
            if case .end = item { continue }
            file += writer.bytes(of: item)
        }
        file += writer.end()
        let result = verify(file, chunk: 1 << 20)
        let hasHead = result.report.checkpoint != nil
        require(result.report.isComplete || !hasHead, "a file that decodes and has its end is complete")
        require(result.proven.count == result.report.operationCount, "operations that hold are counted")
    }

    struct Verification: Hashable {
        var report: BundleReport
        var proven: [ProvenOperation] = []
    }

    static func verify(_ bytes: [UInt8], space: SpaceID? = nil, chunk: Int) -> Verification {
        var rest = bytes[...]
        var proven: [ProvenOperation] = []
        let report = BundleVerifier.verify(expectedSpace: space) {
            defer { rest = rest.dropFirst(chunk) }
            return rest.isEmpty ? nil : Array(rest.prefix(chunk))
        } visit: {
            proven.append($0)
        }
        return Verification(report: report, proven: proven)
    }
}
