import GimbalCRDT
import GimbalWire

/// One operation by itself: what its own bytes say is checked, and has one form.
enum OperationProperties {
    static func check(_ bytes: [UInt8]) {
        let decode = { () throws(WireError) in try Operation(decoding: bytes, in: 0..<bytes.count) }
        guard let operation = decoded(bytes, decode) else { return }
        requireSame(operation.encoded, as: bytes)
        let isForRegister =
            switch operation.action {
            case .assign, .clear: true
            case .put, .remove: false
            }
        require(operation.path.isRegister == isForRegister, "the kind fits the path")
        require(operation.observed.count <= Limits.observedDotsPerOperation, "observed dots are bounded")
        for (one, next) in zip(operation.observed, operation.observed.dropFirst()) { require(one < next, "observed dots rise") }
        switch operation.action {
        case .assign(let value, let created), .put(let value, let created, _):
            require((try? JSONText.validate(value)) != nil, "values are JSON")
            require(created.isWellFormed, "stamps are well-formed")
        case .clear, .remove: break
        }
        // Moved within other bytes it is the same operation.
        let padded = [0xff, 0xff] + bytes + [0xff]
        require((try? Operation(decoding: padded, in: 2..<(2 + bytes.count))) == operation, "an operation stays in its range")
    }
}
