import GimbalCRDT
import GimbalWire

/// The bytes of a bundle as they come, taken item by item.
final class BundleSource {
    private let read: () throws -> [UInt8]?
    private var buffer: [UInt8] = []
    private var isAtEnd = false
    private var hash = RunningHash()
    /// Where the next item begins, in bytes from the start of the file.
    private(set) var offset = 0
    /// Where the item that was taken last began.
    private(set) var itemStart = 0
    private(set) var isUnreadable = false

    init(read: @escaping () throws -> [UInt8]?) { self.read = read }

    private func fill() -> Bool {
        guard !isAtEnd else { return false }
        do {
            guard let bytes = try read(), !bytes.isEmpty else {
                isAtEnd = true
                return false
            }
            buffer += bytes
            return true
        } catch {
            isAtEnd = true
            isUnreadable = true
            return false
        }
    }

    /// Decodes the next item, reading on as long as it is not complete.
    func next(_ decode: (inout CBORReader) throws(WireError) -> BundleItem) throws(WireError) -> BundleItem {
        itemStart = offset
        while true {
            var reader = CBORReader(buffer)
            do throws(WireError) {
                let item = try decode(&reader)
                if case .end = item {} else { hash.update(buffer[..<reader.offset]) }
                buffer.removeFirst(reader.offset)
                offset += reader.offset
                return item
            } catch {
                guard error.code == .truncated, buffer.count < Page.hardMaximumBytes, fill() else { throw error }
            }
        }
    }

    /// The hash of everything before the next item; ask for its value at the end only.
    var hashBeforeNext: () -> Digest { { [hash] in hash.value() } }

    func expectEnd() throws(WireError) {
        guard buffer.isEmpty, !fill() else { throw WireError(.trailingBytes) }
    }
}
