/// What is fuzzed: each target is a property of any bytes.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case cbor, operation, delta, exchange, bundle, tamper, path, json, patch, request, merge, pivot, snapshot

    /// Does not return when the property does not hold.
    public func check(_ bytes: [UInt8]) {
        switch self {
        case .cbor: CBORProperties.check(bytes)
        case .operation: OperationProperties.check(bytes)
        case .delta: DeltaProperties.check(bytes)
        case .exchange: ExchangeProperties.check(bytes)
        case .bundle: BundleProperties.check(bytes)
        case .tamper: TamperProperties.check(bytes)
        case .path: PathProperties.check(bytes)
        case .json: JSONProperties.check(bytes)
        case .patch: PatchProperties.check(bytes)
        case .request: RequestProperties.check(bytes)
        case .pivot: PivotProperties.check(bytes)
        case .merge: MergeProperties.check(bytes)
        case .snapshot: SnapshotProperties.check(bytes)
        }
    }
}
