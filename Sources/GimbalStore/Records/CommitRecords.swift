import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// What a commit of the core becomes in storage: one atomic batch.
enum CommitRecord {
    static func batch(_ commit: PivotCommit, _ base: SpaceBase, _ journal: inout DigestJournal) -> StorageBatch {
        var batch = StorageBatch()
        add(commit.base, base, &journal, to: &batch)
        if let checkpoint = commit.base.checkpoint {
            batch.put(checkpoint.encoded, at: RecordKey.number(checkpoint.position), in: .checkpoints)
        }
        var writer = CBORWriter()
        writer.array(count: 2)
        writer.stamp(commit.record.clock)
        writer.unsigned(commit.record.pivotMilliseconds)
        batch.put(writer.bytes, at: RecordKey.record, in: .metadata)
        if let opened = commit.openedEpoch {
            var writer = CBORWriter()
            writer.array(count: 2)
            writer.unsigned(opened.epoch.random)
            writer.unsigned(opened.firstPosition)
            batch.put(writer.bytes, at: RecordKey.epoch(opened.epoch.number), in: .metadata)
        }
        return batch
    }

    static func batch(_ commit: NodeCommit, _ base: SpaceBase, _ journal: inout DigestJournal) -> StorageBatch {
        var batch = StorageBatch()
        if let baseCommit = commit.base, commit.installedEntries != nil {
            journal = journal.replacing(base.digest, in: &batch)
            batch.put(encode(baseCommit.frontier, base), at: RecordKey.base, in: .metadata)
            if let checkpoint = baseCommit.checkpoint {
                batch.put(checkpoint.encoded, at: RecordKey.number(checkpoint.position), in: .checkpoints)
            }
            batch.delete(RecordKey.intake, in: .metadata)
        } else if let baseCommit = commit.base {
            add(baseCommit, base, &journal, to: &batch)
        }
        for (path, overlay) in commit.overlays {
            batch.change(path.bytes, overlay.map(StateRecord.encode), in: .overlay)
        }
        for sequence in commit.removedPending { batch.delete(RecordKey.number(sequence), in: .outbox) }
        for operation in commit.addedPending {
            batch.put(StateRecord.encode(operation), at: RecordKey.number(operation.sequence), in: .outbox)
        }
        for first in commit.removedSealed { batch.delete(RecordKey.number(first), in: .sealed) }
        for sealed in commit.addedSealed {
            batch.put(encode(sealed), at: RecordKey.number(sealed.link.firstSequence), in: .sealed)
        }
        for letter in commit.deadLetters {
            let dot = Dot(replica: letter.replica, sequence: letter.operation.sequence)
            batch.put(encode(letter), at: RecordKey.dot(dot), in: .deadLetters)
        }
        if commit.isIncarnationNew, let author = commit.record.author {
            batch.put(author.bytes, at: RecordKey.author, in: .metadata)
        }
        batch.put(encode(commit.record), at: RecordKey.record, in: .metadata)
        return batch
    }

    private static func add(
        _ commit: BaseCommit, _ base: SpaceBase, _ journal: inout DigestJournal, to batch: inout StorageBatch
    ) {
        for (path, state) in commit.states { batch.change(path.bytes, state.map(StateRecord.encode), in: .state) }
        for entry in commit.entries {
            batch.put(entry.bytes, at: RecordKey.number(entry.position), in: .log)
            guard let link = entry.link else { continue }
            batch.put(encode(link), at: RecordKey.link(link.replica, lastSequence: link.lastSequence), in: .chain)
        }
        for (dot, reason) in commit.refused {
            batch.change(RecordKey.dot(dot), reason.map { Array($0.utf8) }, in: .refused)
        }
        journal = journal.adding(commit.buckets, of: base.digest, to: &batch)
        batch.put(encode(commit.frontier, base), at: RecordKey.base, in: .metadata)
    }

    static func encode(_ link: ChainLink) -> [UInt8] {
        var writer = CBORWriter(reserving: 64)
        writer.array(count: 3)
        writer.unsigned(link.firstSequence)
        writer.byteString(link.headerHash)
        writer.unsigned(link.position)
        return writer.bytes
    }

    /// The other parts of a link are in its key.
    static func decodeLink(
        _ bytes: [UInt8]
    ) throws(WireError) -> (firstSequence: UInt64, headerHash: Digest, position: UInt64) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        return (try reader.ordinal(), try reader.fixed(Digest.self), try reader.ordinal())
    }

    private static func encode(_ frontier: MerkleTree.Frontier, _ base: SpaceBase) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.unsigned(base.firstPosition)
        writer.stamp(base.greatestStamp)
        writer.unsigned(frontier.count)
        writer.array(count: frontier.subtrees.count)
        for subtree in frontier.subtrees { writer.byteString(subtree) }
        return writer.bytes
    }

    static func encode(_ sealed: SealedOutboxDelta) -> [UInt8] {
        var writer = CBORWriter(reserving: sealed.delta.sealed.bytes.count + 64)
        writer.array(count: 3)
        writer.unsigned(sealed.link.lastSequence)
        writer.byteString(sealed.link.headerHash)
        writer.encoded(sealed.delta.sealed.bytes)
        return writer.bytes
    }

    static func decodeSealed(_ bytes: [UInt8], first: UInt64) throws(WireError) -> (SealedLink, SealedDelta) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        let (last, headerHash) = (try reader.ordinal(), try reader.fixed(Digest.self))
        let delta = try SealedDelta(from: &reader)
        let link = SealedLink(firstSequence: first, lastSequence: last, headerHash: headerHash, bytes: delta.bytes.count)
        return (link, delta)
    }

    static func encode(_ letter: DeadLetter) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 2)
        writer.text(letter.reason)
        StateRecord.encode(letter.operation, into: &writer)
        return writer.bytes
    }

    static func decodeDeadLetter(_ bytes: [UInt8], of replica: ReplicaID) throws(WireError) -> DeadLetter {
        var reader = CBORReader(bytes)
        try reader.array(of: 2)
        let reason = try reader.text()
        return DeadLetter(replica: replica, operation: try StateRecord.decodePending(&reader), reason: reason)
    }

    static func encode(_ record: NodeRecord) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 8)
        writer.unsigned(record.incarnation)
        writer.unsigned(record.nextSequence)
        writer.stamp(record.clock)
        writer.unsigned(record.epoch.number)
        writer.unsigned(record.epoch.random)
        writer.bool(record.isReady)
        writer.unsigned(record.spoiledFrom)
        if let checkpoint = record.checkpoint { checkpoint.encode(into: &writer) } else { writer.null() }
        return writer.bytes
    }

    static func decodeNodeRecord(_ bytes: [UInt8]) throws(WireError) -> NodeRecord {
        var reader = CBORReader(bytes)
        try reader.array(of: 8)
        var record = NodeRecord(
            incarnation: try reader.unsigned(), nextSequence: try reader.ordinal(), clock: try reader.stamp(),
            epoch: Epoch(number: try reader.ordinal(), random: try reader.unsigned()), isReady: try reader.bool(),
            spoiledFrom: try reader.ordinal())
        record.checkpoint = reader.takeNull() ? nil : try SignedPayload(from: &reader)
        try reader.expectEnd()
        return record
    }
}

extension StorageBatch {
    mutating func change(_ key: [UInt8], _ value: [UInt8]?, in section: Section) {
        changes.append((section, key, value))
    }
}
