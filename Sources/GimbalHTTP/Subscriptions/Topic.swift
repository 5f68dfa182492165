import GimbalCRDT
import GimbalStore
import GimbalWire
import NIOCore
import NIOWebSocket

/// What somebody subscribes to.
package enum TopicName: Hashable, Sendable, CustomStringConvertible {
    case key(Path)
    case list(Pattern)
    /// The names of keys that changed, without what they hold: costs nothing that grows with the collection, at either end.
    case changes(Pattern)

    var isOfMany: Bool { if case .key = self { false } else { true } }
    var isOfNames: Bool { if case .changes = self { true } else { false } }

    package var description: String {
        switch self {
        case .key(let path): path.description
        case .list(let pattern): pattern.description
        case .changes(let pattern): "\(pattern)?changes=1"
        }
    }
}

/// One key or list as its subscribers were last told, and the messages that lead there. A value: the hub feeds it with what
/// is now at changed paths and sends what comes out, once for all subscribers.
///
/// Messages hold against what it told before and not against commits, so however many commits lie between two of them, each
/// patch applies exactly, and after a quiet moment the client's copy is what GET answers.
package struct Topic: Sendable {
    let name: TopicName
    /// Rises with every message; about the nanoseconds of the last change.
    package private(set) var version: UInt64
    private var entries: [Path: VisibleEntry] = [:]
    private var order = ListOrder()
    /// About what a snapshot of the list takes.
    private var snapshotBytes = 2
    private var history = MessageHistory()
    private var snapshotFrame: ByteBuffer?

    package init(_ name: TopicName, _ present: [VisibleEntry], version: UInt64) {
        self.name = name
        self.version = version
        for entry in present { entries[entry.path] = entry }
        if case .list = name {
            order = ListOrder(present.map { KeyPlace($0) })
            snapshotBytes += present.reduce(0) { $0 + MetaObject.size($1) + 1 }
        }
    }

    /// Takes in what is now at paths that may have changed.
    ///
    /// - Parameter version: of the message, if there is one; greater than the last.
    /// - Returns: the message for all who have seen everything before it; nil if nothing changed for them.
    package mutating func update(_ changed: [(path: Path, entry: VisibleEntry?)], version: UInt64) -> ByteBuffer? {
        let frame: ByteBuffer?
        switch name {
        case .key: frame = updateKey(changed, version)
        case .list: frame = updateList(changed, version)
        case .changes: frame = names(changed.map(\.path), version)
        }
        guard let frame else { return nil }
        history.append(frame, from: self.version)
        self.version = version
        return frame
    }

    /// Whether clients were told exactly this; what keys hold is not known to a topic of names.
    func shows(_ present: [VisibleEntry]) -> Bool {
        !name.isOfNames && present.count == entries.count
            && present.allSatisfy { Self.looksTheSame(entries[$0.path], $0) }
    }

    /// Everything, for one who knows nothing.
    package mutating func snapshot() -> ByteBuffer {
        if let snapshotFrame { return snapshotFrame }
        let frame = snapshot(version)
        snapshotFrame = frame
        return frame
    }

    /// The messages that one missed who has seen this version; nil if they are not known any more.
    package func missed(since version: UInt64) -> [ByteBuffer]? {
        version == self.version ? [] : history.messages(from: version)
    }

    // MARK: One key

    private mutating func updateKey(_ changed: [(path: Path, entry: VisibleEntry?)], _ version: UInt64) -> ByteBuffer? {
        guard let (path, new) = changed.last, !Self.looksTheSame(entries[path], new) else { return nil }
        let old = entries[path]
        entries[path] = new
        snapshotFrame = nil
        let whole = snapshot(version)
        guard let old, let new, let patch = Self.patch(old, new, at: .root), patch.operations.count < MetaObject.size(new) else {
            snapshotFrame = whole
            return whole
        }
        return TopicMessage.patch(patch.operations, version: version)
    }

    /// Whether clients could not tell one from the other: a receipt changes dots and caps, not what is shown.
    private static func looksTheSame(_ one: VisibleEntry?, _ other: VisibleEntry?) -> Bool {
        one?.created == other?.created && one?.updated == other?.updated && one?.value == other?.value
    }

    /// Nil where a patch would say everything anew.
    private static func patch(_ old: VisibleEntry, _ new: VisibleEntry, at pointer: JSONPointer) -> JSONPatchWriter? {
        guard old.created == new.created, let before = try? JSONValue(parsing: old.value),
            let after = try? JSONValue(parsing: new.value)
        else { return nil }
        var patch = JSONPatchWriter()
        if old.updated != new.updated { patch.replace(pointer.appending("updated"), Array(String(new.updated).utf8)) }
        patch.change(before, to: after, at: pointer.appending("data"))
        return patch
    }

    // MARK: Lists

    private mutating func updateList(_ changed: [(path: Path, entry: VisibleEntry?)], _ version: UInt64) -> ByteBuffer? {
        if isEmptied(by: changed) {
            entries = [:]
            order = ListOrder()
            snapshotBytes = 2
            let frame = snapshot(version)
            snapshotFrame = frame
            return frame
        }
        var patch = JSONPatchWriter()
        var isChanged = false
        /// Once a snapshot is shorter there is no patch any more.
        var isPatch = true
        for (path, new) in changed where !Self.looksTheSame(entries[path], new) {
            isChanged = true
            let step = change(path, to: new, writing: isPatch)
            if isPatch { patch.append(step) }
            isPatch = isPatch && patch.operations.count <= snapshotBytes
        }
        guard isChanged else { return nil }
        snapshotFrame = nil
        if !isPatch {
            let frame = snapshot(version)
            snapshotFrame = frame
            return frame
        }
        return TopicMessage.patch(patch.operations, version: version)
    }

    /// Whether nothing is left of a list that had something: there is no shorter way to say so.
    private func isEmptied(by changed: [(path: Path, entry: VisibleEntry?)]) -> Bool {
        guard !entries.isEmpty, changed.count >= entries.count else { return false }
        return changed.allSatisfy { $0.entry == nil } && changed.count { entries[$0.path] != nil } == entries.count
    }

    private mutating func change(_ path: Path, to new: VisibleEntry?, writing: Bool) -> JSONPatchWriter {
        let old = entries[path]
        entries[path] = new
        snapshotBytes += (new.map { MetaObject.size($0) + 1 } ?? 0) - (old.map { MetaObject.size($0) + 1 } ?? 0)
        var patch = JSONPatchWriter()
        if let old, let new, old.created == new.created {
            guard writing, let index = order.index(of: KeyPlace(new)) else { return patch }
            let pointer = JSONPointer.root.appending(index)
            let size = MetaObject.size(new)
            if size > Self.diffThreshold, let change = Self.patch(old, new, at: pointer), change.operations.count < size {
                return change
            }
            patch.replace(pointer, MetaObject.bytes(new))
            return patch
        }
        if let old {
            if !writing { order.discard(KeyPlace(old)) }
            if writing, let index = order.remove(KeyPlace(old)) { patch.remove(.root.appending(index)) }
        }
        if let new {
            let index = order.insert(KeyPlace(new))
            if writing { patch.add(.root.appending(index), MetaObject.bytes(new)) }
        }
        return patch
    }

    /// Items up to this size are replaced whole: to find what changed in them costs more than it saves.
    private static let diffThreshold = 512

    // MARK: Names alone

    /// Past this many in one message the client does better to read its page again.
    static let nameLimit = 1000

    private mutating func names(_ changed: [Path], _ version: UInt64) -> ByteBuffer {
        snapshotFrame = nil
        guard changed.count <= Self.nameLimit else { return snapshot(version) }
        // A path's characters need no escapes.
        let list = changed.map { "\"\($0)\"" }.joined(separator: ",")
        return TopicMessage.patch(Array(list.utf8), version: version)
    }

    // MARK: Snapshots

    private func snapshot(_ version: UInt64) -> ByteBuffer {
        var data = ByteBuffer()
        switch name {
        case .key(let path):
            if let entry = entries[path] { MetaObject.write(entry, to: &data) } else { data.writeStaticString(MetaObject.empty) }
        case .list:
            data.reserveCapacity(snapshotBytes)
            data.writeStaticString("[")
            var isFirst = true
            for key in order.keys {
                guard let entry = entries[key.path] else { continue }
                if !isFirst { data.writeStaticString(",") }
                isFirst = false
                MetaObject.write(entry, to: &data)
            }
            data.writeStaticString("]")
        case .changes: data.writeStaticString("[]")
        }
        return TopicMessage.snapshot(data, version: version)
    }
}

/// The last messages of a topic, bounded in number and bytes: what a client missed while it reconnected.
private struct MessageHistory {
    private var messages = CircularBuffer<(from: UInt64, frame: ByteBuffer)>()
    private var bytes = 0

    private static let countLimit = 256
    private static let byteLimit = 1 << 20

    mutating func append(_ frame: ByteBuffer, from version: UInt64) {
        messages.append((version, frame))
        bytes += frame.readableBytes
        while messages.count > Self.countLimit || bytes > Self.byteLimit, let first = messages.popFirst() {
            bytes -= first.frame.readableBytes
        }
    }

    func messages(from version: UInt64) -> [ByteBuffer]? {
        guard let start = messages.firstIndex(where: { $0.from == version }) else { return nil }
        return messages[start...].map(\.frame)
    }
}

/// The messages of subscriptions, as whole WebSocket frames: the same bytes go to every subscriber.
enum TopicMessage {
    static func snapshot(_ data: ByteBuffer, version: UInt64) -> ByteBuffer {
        frame(isSnapshot: true, version, dataBytes: data.readableBytes) { $0.writeImmutableBuffer(data) }
    }

    /// - Parameter operations: without the brackets.
    static func patch(_ operations: [UInt8], version: UInt64) -> ByteBuffer {
        frame(isSnapshot: false, version, dataBytes: operations.count + 2) { buffer in
            buffer.writeStaticString("[")
            buffer.writeBytes(operations)
            buffer.writeStaticString("]")
        }
    }

    private static func frame(
        isSnapshot: Bool, _ version: UInt64, dataBytes: Int, _ writeData: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        let head = "{\"snapshot\":\(isSnapshot),\"version\":\"\(String(version, radix: 16))\",\"data\":"
        var buffer = ServerFrame.begin(.binary, payloadBytes: head.utf8.count + dataBytes + 1)
        buffer.writeString(head)
        writeData(&buffer)
        buffer.writeStaticString("}")
        return buffer
    }
}
