import GimbalCRDT

extension Operation {
    /// What it writes; nil for a deletion.
    package var value: [UInt8]? {
        switch action {
        case .assign(let value, _), .put(let value, _, _): value
        case .clear, .remove: nil
        }
    }

    /// What this operation does once its effective stamp is known.
    package func effect(dot: Dot, stamp: HybridTimestamp, hash: Digest, header: DeltaHeader) -> Effect {
        func write(_ value: [UInt8]?, created: HybridTimestamp) -> Write {
            Write(
                dot: dot, stamp: stamp, created: created == .zero ? stamp : min(created, stamp), operationHash: hash,
                value: value)
        }
        switch action {
        case .assign(let value, let created): return .write(write(value, created: created))
        case .clear: return .write(write(nil, created: .zero))
        case .put(let value, let created, let observed):
            return .put(write(value, created: created), observed: observed.compactMap(header.dot(of:)))
        case .remove(let observed): return .remove(dot, observed: observed.compactMap(header.dot(of:)))
        }
    }
}
