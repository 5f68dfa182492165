import CRocksDB
import GimbalStorage
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which set of the replaceable sections is in use, for readers that share no lock: a read that meets an install is repeated.
final class SectionSets: Sendable {
    /// Twice the number of installs so far, plus the set that the database was opened with; odd numbers of half an install.
    private let installs = Atomic<UInt64>(0)
    private let openedWith = Atomic<UInt8>(0)

    /// While nobody reads.
    func opened(with set: SectionSet) {
        installs.store(0, ordering: .releasing)
        openedWith.store(set.rawValue, ordering: .releasing)
    }

    private func set(at installs: UInt64) -> SectionSet {
        let first = openedWith.load(ordering: .relaxed)
        return (UInt64(first) + installs / 2).isMultiple(of: 2) ? .first : .second
    }

    /// The set in use; waits while an install is being written.
    var used: SectionSet { self.set(at: settled()) }

    private func settled() -> UInt64 {
        var seen = installs.load(ordering: .acquiring)
        while !seen.isMultiple(of: 2) {
            usleep(50)
            seen = installs.load(ordering: .acquiring)
        }
        return seen
    }

    /// Runs `body` with the set in use, again when that changed meanwhile.
    @inline(__always)
    func reading<Result>(_ body: (SectionSet) throws(StorageError) -> Result) throws(StorageError) -> Result {
        while true {
            let seen = settled()
            let result = try body(set(at: seen))
            if installs.load(ordering: .acquiring) == seen { return result }
        }
    }

    /// Runs `write`, which makes the other set the one in use; readers wait for it. One at a time.
    func install(_ write: (_ next: SectionSet) throws(StorageError) -> Void) throws(StorageError) {
        let before = installs.load(ordering: .relaxed)
        installs.store(before + 1, ordering: .releasing)
        do throws(StorageError) {
            try write(set(at: before).other)
        } catch {
            installs.store(before, ordering: .releasing)
            throw error
        }
        installs.store(before + 2, ordering: .releasing)
    }
}

/// The set in use as it is stored: one byte, absent for the first.
enum SectionSetRecord {
    /// No section begins with this byte.
    private static let key: [UInt8] = [0xff] + Array("sections".utf8)

    static func read(_ reader: RocksDBReader) throws(StorageError) -> SectionSet {
        guard let value = try reader.get(key, from: reader.handle.pointer(.rest)) else { return .first }
        guard value.count == 1, let set = SectionSet(rawValue: value[0]) else {
            throw .corrupt(reason: "the record of the sections in use is not 0 or 1")
        }
        return set
    }

    static func put(_ set: SectionSet, in batch: OpaquePointer?, _ handle: RocksDBHandle) {
        rocksdb_writebatch_put_cf(batch, handle.pointer(.rest), key, key.count, [CChar(bitPattern: set.rawValue)], 1)
    }
}
