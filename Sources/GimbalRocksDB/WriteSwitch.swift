import GimbalStorage
import Synchronization

/// Lets one write through at a time, and none after one failed, until the database was opened again.
///
/// RocksDB is not to be used for writing after a failure: it refuses most writes from then on, and Debian's library, which has
/// its assertions on, ends the process when a second thread writes to a log whose fsync failed, or when a file is ingested after
/// it helped itself out of a full disk.
final class WriteSwitch: Sendable {
    /// Why no write is taken.
    private let failure = Mutex<StorageError?>(nil)
    /// In a structure: a mutex that holds a bare closure wraps it once more each time it is read.
    private struct Telling: Sendable {
        var listener: @Sendable (StorageTrouble) -> Void = { _ in }
    }

    private let telling = Mutex(Telling())

    func onTrouble(_ listener: @escaping @Sendable (StorageTrouble) -> Void) {
        telling.withLock { $0.listener = listener }
    }

    func tell(_ trouble: StorageTrouble) { telling.withLock { $0 }.listener(trouble) }

    var isOff: Bool { failure.withLock { $0 != nil } }

    /// Runs `body`, which writes.
    func write<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        var news: StorageError?
        defer { if let news { tell(.writing(news)) } }
        return try failure.withLock { failure throws(StorageError) in
            if let failure { throw failure }
            do throws(StorageError) {
                return try body()
            } catch {
                switch error {
                case .closed, .recovering: break
                default:
                    // Of what comes later nothing is stored, that is known.
                    failure = error.cause
                    news = error
                }
                throw error
            }
        }
    }

    func turnOn() { failure.withLock { $0 = nil } }
}
