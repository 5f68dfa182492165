import CRocksDB
import GimbalStorage

/// Calls RocksDB, and throws what it put into its error argument. Only opening can find `folder` locked.
@inline(__always)
func attempt<Result>(
    in folder: String = "", _ call: (_ failure: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) throws(StorageError) -> Result {
    var failure: UnsafeMutablePointer<CChar>?
    let result = call(&failure)
    if let failure {
        defer { rocksdb_free(failure) }
        throw StorageError(rocksDB: String(cString: failure), folder: folder)
    }
    return result
}

extension StorageError {
    /// The C interface gives the status as text only: its class first, then what was done and the system's word.
    init(rocksDB message: String, folder: String) {
        func says(_ words: String...) -> Bool { words.contains { message.contains($0) } }
        if message.hasPrefix("Corruption") {
            self = .corrupt(reason: message)
        } else if says("lock hold by current process", "While lock file") {
            self = .locked(folder: folder)
        } else if says("No space left on device", "Disk quota exceeded") {
            self = .full(reason: message)
        } else if says("Read-only file system", "Permission denied", "Operation not permitted") {
            self = .notWritable(reason: message)
        } else {
            self = .failed(reason: message)
        }
    }

    /// Whether it came before a whole record was in the write-ahead log.
    var isBeforeTheLog: Bool {
        switch self {
        case .full(let reason), .notWritable(let reason), .failed(let reason):
            ["While appending to file", "While open a file", "file for appending"].contains { reason.contains($0) }
        // Of a table that a compaction met before: RocksDB keeps it for every write that follows.
        case .corrupt: true
        default: false
        }
    }
}
