import GimbalReplication
import GimbalStorage

/// Own operations that the pivot refused, for a person to see.
extension NodeSpace {
    public func deadLetters() throws(StoreError) -> [DeadLetter] { try SpaceLoader(view: engine).deadLetters() }

    /// Takes over letters of a copy that is left: a person has still to see them.
    public func keep(_ letters: [DeadLetter]) throws(StoreError) {
        guard !letters.isEmpty else { return }
        var batch = StorageBatch()
        for letter in letters { batch.put(CommitRecord.encode(letter), at: RecordKey.dot(letter.dot), in: .deadLetters) }
        try storing { () throws(StorageError) in try engine.commit(batch) }
    }

    /// Forgets one.
    public func drop(_ letter: DeadLetter) throws(StoreError) {
        var batch = StorageBatch()
        batch.delete(RecordKey.dot(letter.dot), in: .deadLetters)
        try storing { () throws(StorageError) in try engine.commit(batch) }
    }

    /// Writes what it wanted anew, now, and then forgets it. What a crash leaves in between is written twice.
    public func retry(_ letter: DeadLetter) async throws(StoreError) -> Result<Written, WriteFailure> {
        let path = letter.operation.path
        let action: WriteRequest.Action =
            switch letter.operation.action {
            case .assign(let value, _), .put(let value, _): .set(path, value: value)
            case .clear, .remove: .delete(path)
            }
        let result = await write(action)
        switch result {
        // Nothing is there any more: what the deletion wanted.
        case .success, .failure(.notFound): try drop(letter)
        case .failure: break
        }
        return result
    }
}
