import GimbalCRDT
import GimbalWire

/// The bytes of a bundle, or of any sequence of CBOR items, as they come, taken item by item. Holds one item and one chunk at
/// most.
package struct BundleSource {
    private let read: () throws -> [UInt8]?
    private var buffer: [UInt8] = []
    /// Where in the buffer the next item begins.
    private var start = 0
    private var isAtEnd = false
    /// Where the next item begins, in bytes from the start of the file.
    package private(set) var offset = 0
    private(set) var isUnreadable = false

    package init(read: @escaping () throws -> [UInt8]?) { self.read = read }

    private mutating func fill() -> Bool {
        guard !isAtEnd else { return false }
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        do {
            if let bytes = try read(), !bytes.isEmpty {
                buffer += bytes
                return true
            }
        } catch {
            isUnreadable = true
        }
        isAtEnd = true
        return false
    }

    /// The bytes of the next item; where they are damaged, as many as are needed to tell. Empty at the end.
    package mutating func next() throws(WireError) -> [UInt8] {
        var extent = ItemExtent()
        var isCut = false
        while extent.advance(over: buffer, from: start), !isCut {
            guard extent.length <= BundleItem.hardMaximumBytes else { break }
            isCut = !fill()
        }
        guard extent.length <= BundleItem.hardMaximumBytes else {
            throw WireError(.tooLarge, at: 0, "an item of a bundle: at most \(BundleItem.hardMaximumBytes) bytes")
        }
        let item = Array(isCut ? buffer[start...] : buffer[start..<(start + extent.length)])
        start += item.count
        offset += item.count
        return item
    }

    mutating func isExhausted() -> Bool { start == buffer.count && !fill() }
}

/// How long one CBOR item is, found out piece by piece. Follows lengths only: what is wrong inside is the decoder's to say.
struct ItemExtent {
    /// As far as is known: the item reaches up to here at least.
    private(set) var length = 0
    /// Items that are still to come before this one is complete.
    private var open: UInt64 = 1

    /// Looks at more of the bytes. Returns whether more of them are needed.
    mutating func advance(over bytes: [UInt8], from start: Int) -> Bool {
        while open > 0 {
            let place = start + length
            guard place < bytes.count else { return true }
            let major = bytes[place] >> 5
            let information = bytes[place] & 31
            let width = information < 24 ? 0 : 1 << Int(information - 24)
            guard information < 28 else {
                // No length at all: the decoder refuses it here.
                length += 1
                open = 0
                return false
            }
            guard place + width < bytes.count else { return true }
            let argument =
                width == 0 ? UInt64(information) : bytes[(place + 1)...(place + width)].reduce(0) { $0 << 8 | UInt64($1) }
            take(major, argument, head: 1 + width)
            // More than any item may have: the caller refuses it.
            guard length <= BundleItem.hardMaximumBytes else { return false }
        }
        return start + length > bytes.count
    }

    private mutating func take(_ major: UInt8, _ argument: UInt64, head: Int) {
        open -= 1
        length += head
        let bounded = min(argument, UInt64(BundleItem.hardMaximumBytes) + 1)
        switch major {
        case 2, 3: length += Int(bounded)
        case 4: open += bounded
        case 5: open += bounded * 2
        case 6: open += 1
        default: break
        }
    }
}
