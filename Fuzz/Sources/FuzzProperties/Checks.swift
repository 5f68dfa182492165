import AllocationMeter
import GimbalCRDT
import GimbalWire

/// Ends the run when a property does not hold; libFuzzer then keeps the input.
func require(
    _ holds: Bool, _ property: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    guard !holds else { return }
    fatalError("does not hold: \(property())", file: file, line: line)
}

/// Counts what decoders allocate; call it once, before the first property.
public func installAllocationMeter() {
    precondition(gimbal_meter_install() > 0, "the properties run under AddressSanitizer, which tells what is allocated")
}

/// What `decode` made of the bytes; nil when it refused them. Checks what is promised of every decoder: it holds no more than
/// twice its input and 64 KiB, its result included, and an error names a place inside the input.
func decoded<Value>(
    _ bytes: [UInt8], file: StaticString = #fileID, line: UInt = #line, _ decode: () throws(WireError) -> Value
) -> Value? {
    let allowed = 2 * bytes.count + 65_536
    var (result, most) = measured(decode)
    if most > allowed {
        // The first call of its kind also pays for what the runtime keeps for ever.
        (result, most) = measured(decode)
    }
    require(most <= allowed, "\(most) bytes allocated for an input of \(bytes.count)", file: file, line: line)
    switch result {
    case .success(let value): return value
    case .failure(let error):
        require((0...bytes.count).contains(error.offset), "\(error) is inside \(bytes.count) bytes", file: file, line: line)
        return nil
    }
}

/// The items at the front of a CBOR sequence that decode, as bytes; each encodes to itself.
func leadingItems<Item>(
    of bytes: [UInt8], _ decode: (_ item: [UInt8], _ isFirst: Bool) throws(WireError) -> Item, _ encode: (Item) -> [UInt8]
) -> [[UInt8]] {
    var items: [[UInt8]] = []
    var reader = CBORReader(bytes)
    while !reader.isAtEnd {
        let start = reader.offset
        guard (try? CBORItem(from: &reader)) != nil else { break }
        let item = Array(bytes[start..<reader.offset])
        guard let value = decoded(item, { () throws(WireError) in try decode(item, items.isEmpty) }) else { break }
        requireSame(encode(value), as: item)
        items.append(item)
    }
    return items
}

private func measured<Value>(_ decode: () throws(WireError) -> Value) -> (Result<Value, WireError>, mostBytes: Int) {
    gimbal_meter_begin()
    let result = Result { () throws(WireError) in try decode() }
    return (result, gimbal_meter_end())
}

/// `encode(decode(x)) == x`
func requireSame(_ encoded: [UInt8], as bytes: some Collection<UInt8>, file: StaticString = #fileID, line: UInt = #line) {
    require(encoded.elementsEqual(bytes), "what was decoded encodes to \(Hex.encode(encoded))", file: file, line: line)
}
