import GimbalCRDT
import GimbalWire

/// A verified delta with its operations decoded and checked one by one: what can be found out without any state, and
/// therefore on any thread.
public struct IncomingDelta: Sendable {
    public let verified: VerifiedDelta
    /// Nil where the operation is hidden, or refused here.
    public let operations: [Operation?]
    /// Operations that are shown but not what the format says. Each is its own author's matter alone.
    public let malformed: [Refusal]

    public var header: DeltaHeader { verified.header }

    public init(_ verified: VerifiedDelta) {
        self.verified = verified
        var operations: [Operation?] = []
        operations.reserveCapacity(verified.header.count)
        var malformed: [Refusal] = []
        var previousOffset: UInt64?
        for index in 0..<verified.header.count {
            do {
                let operation = try verified.operation(index)
                if let operation {
                    try Self.check(operation, at: index, after: previousOffset, in: verified.header)
                    previousOffset = operation.stampOffset
                }
                operations.append(operation)
            } catch {
                operations.append(nil)
                malformed.append(Refusal(index: index, reason: error.code.rawValue))
            }
        }
        self.operations = operations
        self.malformed = malformed
    }

    /// A delta that was sealed here of these operations: there is nothing to decode or to doubt.
    init(sealedHere verified: VerifiedDelta, operations: [Operation]) {
        self.verified = verified
        self.operations = operations
        malformed = []
    }

    private static func check(
        _ operation: Operation, at index: Int, after previous: UInt64?, in header: DeltaHeader
    ) throws(WireError) {
        let (raw, overflow) = header.stamp.rawValue.addingReportingOverflow(operation.stampOffset)
        guard !overflow, HybridTimestamp(rawValue: raw).isWellFormed, (index == 0) == (operation.stampOffset == 0),
            previous.map({ $0 < operation.stampOffset }) ?? true
        else { throw WireError(.badStamp) }
        for observed in operation.observed where header.dot(of: observed) == nil {
            throw WireError(.badObserved)
        }
    }

    /// What the operation at `index` does under a cap; nil when it is hidden or refused.
    public func effect(_ index: Int, cap: HybridTimestamp) -> (path: Path, effect: Effect)? {
        guard let operation = operations[index], let hash = verified.operationHash(index) else { return nil }
        let stamp = HybridTimestamp(rawValue: header.stamp.rawValue + operation.stampOffset)
        return (operation.path, operation.effect(dot: header.dot(at: index), stamp: min(stamp, cap), hash: hash, header: header))
    }

    public var paths: [Path] { operations.compactMap { $0?.path } }
}
