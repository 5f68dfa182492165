import GimbalCRDT
import GimbalReplication

/// Stands for a space that cannot be read or written: its copy is not here yet, or cannot be opened.
public final class AbsentSpace: SpaceStore {
    public enum Reason: Sendable {
        /// Its first copy is still to come.
        case awaited
        /// What is stored of it cannot be opened.
        case unavailable
    }

    public let space = SpaceID.zero
    private let reason: Reason

    public init(_ reason: Reason) { self.reason = reason }

    public var isReady: Bool { false }
    public var isUnavailable: Bool { reason == .unavailable }
    private var failure: WriteFailure { isUnavailable ? .unavailable : .notReady }

    /// Nothing is known; what may be its, its host says.
    public func contains(_ path: Path) -> Bool { false }
    public func submit(
        _ action: WriteRequest.Action, completion: @escaping @Sendable (Result<Written, WriteFailure>) -> Void
    ) {
        completion(.failure(failure))
    }
    public func state(_ path: Path) throws(StoreError) -> PathState? { nil }
    public func scan(_ pattern: Pattern, after: Path?, _ visit: (VisibleEntry) -> Bool) throws(StoreError) {}
    public func scanKeys(
        _ pattern: Pattern, after: Path?, _ visit: (_ path: Path, _ created: HybridTimestamp) -> Bool
    ) throws(StoreError) {}
    public func walk(_ pattern: Pattern) throws(StoreError) -> KeyWalk { KeyWalk.none }
    public func explain(_ path: Path, depth: UInt64) throws(StoreError) -> Explanation {
        Explanation(path: path, standing: [], superseded: [], searchedFrom: 1)
    }
    public var records: SpaceRecords { SpaceRecords() }
    public func subscribe(_ listener: @escaping @Sendable ([Path]) -> Void) {}
    public func close() {}
}
