import GimbalStorage
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The wrong ways of an engine, each named as the check that has to notice it.
enum Fault: String, CaseIterable, Sendable {
    case inventsData = "nothing is found where nothing was stored"
    case comparesSignedBytes = "keys are in the order of unsigned bytes, a prefix first"
    case includesUpperBound = "a scan begins with its lower bound and ends before its upper"
    case ignoresStop = "a scan stops when it is told to, and passes an error on"
    case findsTheBoundItself = "last finds the greatest key below its bound"
    case answersSorted = "load answers in the order of the keys, for one, few and many"
    case mixesSections = "sections do not see each other"
    case dropsOneSection = "a commit stores its whole batch over all sections"
    case firstChangeWins = "the last change of a key in a batch wins"
    case ignoresDeletes = "a deleted key is gone, and may come back"
    case dropsEmptyValues = "an empty value is a value"
    case endsKeysAtZero = "keys and values keep every byte"
    case cutsLongValues = "values of 100 KB come back as they were"
    case forgetsOneChange = "it agrees with a plain map after any changes"
    case showsLaterCommits = "a view stays as it was"
    case scansLive = "a scan shows one moment, while its visitor commits"
    case commitsInHalves = "readers never see half a batch, nor an older one after a newer"
    case answersWhenClosed = "every call on a closed engine throws closed, and closing twice is harmless"
    case failsOtherwiseWhenClosed = "a reader that meets a closing engine finishes or throws closed"
    case forgetsWhenClosed = "data outlives the engine"
    case sharesItsPlace = "one place has one engine at a time"
    case stagesInUse = "staged entries are seen in the staging area alone"
    case keepsWhatWasInUse = "an install puts the staged sections in the place of those in use, with its batch"
    case forgetsToClear = "a cleared staging area is empty"
    case forgetsStaged = "staged entries and an install outlive the engine"
}

/// What outlives a `FaultyEngine`, and who has it open.
final class FaultyDisk: Sendable {
    let fault: Fault?
    let data = Mutex(MemoryEngineBox(engine: MemoryEngine()))
    let isOpen = Mutex(false)
    let loads = Mutex(0)

    init(fault: Fault?) { self.fault = fault }

    struct MemoryEngineBox: Sendable { var engine: MemoryEngine }

    var engine: MemoryEngine { data.withLock { $0.engine } }
}

/// A memory engine with at most one fault.
final class FaultyEngine: StorageEngine {
    private let disk: FaultyDisk
    private let isClosed = Mutex(false)
    private var fault: Fault? { disk.fault }

    init(_ disk: FaultyDisk) throws(StorageError) {
        self.disk = disk
        let wasOpen = disk.isOpen.withLock { isOpen in
            defer { isOpen = true }
            return isOpen
        }
        if wasOpen, disk.fault != .sharesItsPlace { throw .locked(folder: "disk") }
    }

    func commit(_ batch: StorageBatch) throws(StorageError) {
        try throwIfClosed()
        var changes = batch.changes.map { (section: place($0.section), key: key($0.key), value: $0.value.map(cut)) }
        switch fault {
        case .dropsOneSection: changes.removeAll { $0.section == .checkpoints }
        case .firstChangeWins: changes.reverse()
        case .ignoresDeletes: changes.removeAll { $0.value == nil }
        case .dropsEmptyValues: changes.removeAll { $0.value == [] }
        case .forgetsOneChange: if changes.count > 101 { changes.removeLast() }
        default: break
        }
        if fault == .commitsInHalves {
            try disk.engine.commit(changes.prefix(changes.count / 2))
            changes.removeFirst(changes.count / 2)
            // Until somebody looks, for a second at most.
            let loads = disk.loads.withLock { $0 }
            for _ in 0..<1000 where disk.loads.withLock({ $0 }) == loads { usleep(1000) }
        }
        try disk.engine.commit(changes[...])
    }

    func view() throws(StorageError) -> any StorageView {
        try throwIfClosed()
        if fault == .showsLaterCommits { return self }
        return FaultyView(engine: self, view: try disk.engine.view())
    }

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try throwIfClosed()
        disk.loads.withLock { $0 += 1 }
        if fault == .inventsData { return keys.map { _ in [1] } }
        let keys = fault == .answersSorted ? keys.sorted { $0.lexicographicallyPrecedes($1) } : keys
        return try disk.engine.load(keys.map(key), from: place(section))
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try throwIfClosed()
        if fault == .scansLive { return try scanLive(section, from: lower, until: upper, visit) }
        let upper = fault == .includesUpperBound ? upper.map { $0 + [0] } : upper
        let view = try disk.engine.view()
        if fault == .comparesSignedBytes { return try scanSigned(view, section, from: lower, until: upper, visit) }
        try view.scan(place(section), from: lower, until: upper) { key, value throws(StorageError) in
            try visit(key, value) || fault == .ignoresStop
        }
    }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try throwIfClosed()
        return try disk.engine.last(place(section), below: fault == .findsTheBoundItself ? upper + [0] : upper)
    }

    func stage(_ run: StagedRun) throws(StorageError) {
        try throwIfClosed()
        try disk.engine.stage(run)
        guard fault == .stagesInUse else { return }
        var batch = StorageBatch()
        for index in 0..<run.count { batch.put(Array(run.value(index)), at: Array(run.key(index)), in: run.section) }
        try disk.engine.commit(batch)
    }

    func stagedView() throws(StorageError) -> any StorageView {
        try throwIfClosed()
        return FaultyView(engine: self, view: try disk.engine.stagedView())
    }

    func clearStaged() throws(StorageError) {
        try throwIfClosed()
        if fault != .forgetsToClear { try disk.engine.clearStaged() }
    }

    func compactStaged() throws(StorageError) { try throwIfClosed() }

    func install(_ batch: StorageBatch) throws(StorageError) {
        try throwIfClosed()
        if fault == .keepsWhatWasInUse { try disk.engine.commit(batch) } else { try disk.engine.install(batch) }
    }

    var statistics: [(name: String, value: UInt64)] { [] }

    func close() {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        if wasClosed { return }
        if fault == .forgetsStaged { try? disk.engine.clearStaged() }
        if fault == .forgetsWhenClosed { disk.data.withLock { $0.engine = MemoryEngine() } }
        disk.isOpen.withLock { $0 = false }
    }

    fileprivate func throwIfClosed() throws(StorageError) {
        guard isClosed.withLock({ $0 }), fault != .answersWhenClosed else { return }
        throw fault == .failsOtherwiseWhenClosed ? .failed(reason: "closed") : .closed
    }

    // MARK: - Wrong ways

    private func place(_ section: Section) -> Section {
        fault == .mixesSections && section == .overlay ? .state : section
    }

    private func key(_ key: [UInt8]) -> [UInt8] {
        fault == .endsKeysAtZero && key.count > 16 ? Array(key.prefix { $0 != 0 }) : key
    }

    private func cut(_ value: [UInt8]) -> [UInt8] {
        fault == .cutsLongValues ? Array(value.prefix(65_535)) : value
    }

    private func scanSigned(
        _ view: any StorageView, _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var entries: [(key: [UInt8], value: [UInt8])] = []
        try view.scan(place(section), from: lower, until: upper) { key, value in
            entries.append((key, value))
            return true
        }
        func signed(_ key: [UInt8]) -> [Int8] { key.map { Int8(bitPattern: $0) } }
        for entry in entries.sorted(by: { signed($0.key).lexicographicallyPrecedes(signed($1.key)) }) {
            guard try visit(entry.key, entry.value) else { return }
        }
    }

    private func scanLive(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var lower = lower
        var goesOn = true
        while goesOn {
            var next: (key: [UInt8], value: [UInt8])?
            try disk.engine.scan(section, from: lower, until: upper) { key, value in
                next = (key, value)
                return false
            }
            guard let next else { return }
            goesOn = try visit(next.key, next.value)
            lower = next.key + [0]
        }
    }
}

extension MemoryEngine {
    fileprivate func commit(
        _ changes: ArraySlice<(section: Section, key: [UInt8], value: [UInt8]?)>
    ) throws(StorageError) {
        var batch = StorageBatch()
        batch.changes = Array(changes)
        try commit(batch)
    }
}

private struct FaultyView: StorageView {
    let engine: FaultyEngine
    let view: any StorageView

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try engine.throwIfClosed()
        return try view.load(keys, from: section)
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try engine.throwIfClosed()
        try view.scan(section, from: lower, until: upper, visit)
    }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try engine.throwIfClosed()
        return try view.last(section, below: upper)
    }
}
