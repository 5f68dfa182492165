import GimbalCRDT
import GimbalReplication
import GimbalStorage

/// Is told what a space's writer does, for metrics and logs. Called on the writer's thread: it must not block.
public protocol SpaceWatcher: Sendable {
    /// - Parameters:
    ///   - step: nanoseconds from having loaded what waited to the end of the commit.
    ///   - storage: of these, in the storage, which ends with the data on disk.
    func committed(step: UInt64, storage: UInt64)
    /// Nothing was acknowledged, and who waits was told so.
    func commitFailed(_ reason: String)
    /// From now on no write is taken, until `storageWorks`.
    func storageFailed(_ error: StorageError)
    func storageWorks()
    /// A read met damaged data, for the first time.
    func storageDamaged(_ error: StorageError)
    /// The pivot refused these of this node's operations.
    func refused(_ letters: [DeadLetter])
}

/// Times one step of a writer, for its watcher if it has one.
struct StepTimer {
    private let began = SystemClock.steadyNanoseconds()
    private(set) var storage: UInt64 = 0

    var total: UInt64 { SystemClock.steadyNanoseconds() - began }

    mutating func storing(_ body: () throws(StorageError) -> Void) throws(StoreError) {
        let start = SystemClock.steadyNanoseconds()
        defer { storage += SystemClock.steadyNanoseconds() - start }
        try GimbalStore.storing(body)
    }
}
