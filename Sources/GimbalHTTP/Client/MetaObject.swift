import GimbalCRDT
import GimbalStore
import NIOCore

/// `{"created":…,"updated":…,"index":…,"path":…,"data":…}`: one key as clients of the ooo protocol know it.
enum MetaObject {
    static func write(_ entry: VisibleEntry, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"created\":")
        buffer.writeString(String(entry.created))
        buffer.writeStaticString(",\"updated\":")
        buffer.writeString(String(entry.updated))
        // A path's characters need no escapes.
        buffer.writeStaticString(",\"index\":\"")
        buffer.writeBytes(entry.path.indexBytes)
        buffer.writeStaticString("\",\"path\":\"")
        buffer.writeBytes(entry.path.bytes)
        buffer.writeStaticString("\",\"data\":")
        buffer.writeBytes(entry.value)
        buffer.writeStaticString("}")
    }

    static func bytes(_ entry: VisibleEntry) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(size(entry))
        write(entry, to: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// About how many bytes `write` writes.
    static func size(_ entry: VisibleEntry) -> Int { entry.value.count + entry.path.bytes.count * 2 + 96 }

    /// What stands where nothing is.
    static let empty: StaticString = "{\"created\":0,\"updated\":0,\"index\":\"\",\"data\":{}}"
}
