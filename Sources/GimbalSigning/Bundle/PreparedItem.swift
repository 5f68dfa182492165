import Dispatch
import GimbalCRDT
import GimbalWire
import Synchronization

/// One item of a bundle with everything found out that needs no item before it, which is nearly all that takes time.
struct PreparedItem: Sendable {
    /// Where it begins in the file.
    let start: Int
    let bytes: [UInt8]
    let item: Result<BundleItem, WireError>
    /// The signature and all that is shown of it, where the item has a delta.
    let delta: Result<VerifiedDelta, WireError>?
    /// The log root that the inclusion path leads to; nil where no checkpoint reaches the position.
    let root: Digest?

    init(bytes: [UInt8], start: Int, isFirst: Bool, _ checkpoints: [Checkpoint], _ primitives: SodiumPrimitives) {
        self.start = start
        self.bytes = bytes
        item = Result { () throws(WireError) in try BundleItem(decoding: bytes, isFirst: isFirst) }
        var sealed: SealedDelta?
        var root: Digest?
        switch item {
        case .success(.entry(let entry)):
            if case .delta(let delta) = entry.entry.body { sealed = delta }
            root = Self.root(entry, checkpoints, primitives)
        case .success(.unplaced(let delta)): sealed = delta
        case .success(.head), .success(.end), .failure: break
        }
        delta = sealed.map { sealed in Result { () throws(WireError) in try sealed.verified(primitives) } }
        self.root = root
    }

    private static func root(_ entry: BundleEntry, _ checkpoints: [Checkpoint], _ primitives: SodiumPrimitives) -> Digest? {
        guard checkpoints.indices.contains(entry.tree) else { return nil }
        let checkpoint = checkpoints[entry.tree]
        guard entry.position >= checkpoint.firstPosition, entry.position <= checkpoint.position else { return nil }
        return MerkleTree.root(
            leaf: entry.entry.leaf(primitives), at: entry.position - checkpoint.firstPosition,
            in: checkpoint.position - checkpoint.firstPosition + 1, path: entry.inclusionPath, primitives)
    }
}

/// The items of a file in their order, prepared on all cores some megabytes ahead of whoever takes them.
struct PreparedItems {
    private static let windowBytes = 4 << 20
    private static let windowItems = 4096
    /// Fewer than this are not worth the other cores.
    private static let parallelLimit = 16

    private var source: BundleSource
    private var window: [PreparedItem] = []
    private var next = 0
    /// What ends the file behind the window, if it is not the end item.
    private var failure: (error: WireError, start: Int)?
    private var isAtEnd = false
    private let primitives = SodiumPrimitives()

    init(_ source: BundleSource) { self.source = source }

    var isUnreadable: Bool { source.isUnreadable }
    var offset: Int { source.offset }

    /// The head, before which no checkpoint is known.
    mutating func head() -> Result<PreparedItem, WireError> {
        do throws(WireError) {
            return .success(PreparedItem(bytes: try bytes(), start: 0, isFirst: true, [], primitives))
        } catch {
            return .failure(error)
        }
    }

    /// The next item; the error, and where its item begins, for bytes that are none.
    mutating func take(_ checkpoints: [Checkpoint]) -> (Result<PreparedItem, WireError>, start: Int) {
        if next == window.count, failure == nil { fill(checkpoints) }
        guard next < window.count else {
            let (error, start) = failure ?? (WireError(.truncated), source.offset)
            return (.failure(error), start)
        }
        next += 1
        return (.success(window[next - 1]), window[next - 1].start)
    }

    /// Whether nothing follows the end item.
    mutating func isExhausted() -> Bool { source.isExhausted() }

    private mutating func bytes() throws(WireError) -> [UInt8] {
        let bytes = try source.next()
        guard !bytes.isEmpty else { throw WireError(.truncated, at: 0, "the bundle has no end") }
        return bytes
    }

    private mutating func fill(_ checkpoints: [Checkpoint]) {
        var raw: [(start: Int, bytes: [UInt8])] = []
        var size = 0
        while !isAtEnd, failure == nil, raw.count < Self.windowItems, size < Self.windowBytes {
            let start = source.offset
            do throws(WireError) {
                let bytes = try bytes()
                isAtEnd = BundleItem.isEnd(bytes)
                size += bytes.count
                raw.append((start, bytes))
            } catch {
                failure = (error, start)
            }
        }
        window = Self.prepared(raw, checkpoints, primitives)
        next = 0
    }

    private static func prepared(
        _ raw: [(start: Int, bytes: [UInt8])], _ checkpoints: [Checkpoint], _ primitives: SodiumPrimitives
    ) -> [PreparedItem] {
        let stripes = raw.count < parallelLimit ? 1 : 8
        let length = (raw.count + stripes - 1) / stripes
        let results = Mutex<[Int: [PreparedItem]]>([:])
        DispatchQueue.concurrentPerform(iterations: stripes) { stripe in
            let part = raw.dropFirst(stripe * length).prefix(length).map {
                PreparedItem(bytes: $0.bytes, start: $0.start, isFirst: false, checkpoints, primitives)
            }
            results.withLock { $0[stripe] = part }
        }
        return results.withLock { results in (0..<stripes).flatMap { results[$0] ?? [] } }
    }
}
