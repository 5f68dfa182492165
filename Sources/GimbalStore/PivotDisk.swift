import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// What a pivot's steps need from storage and leave in it. Used by the writer's thread alone.
struct PivotDisk: MachineDisk, Sendable {
    typealias Machine = PivotCore

    private var journal: DigestJournal
    private let engine: any StorageEngine
    private let reading: SpaceReading
    private let log: LogReader
    private let retention: Retention
    private let watcher: (any SpaceWatcher)?
    private let census: SiblingCensus
    private let keeper: StorageKeeper
    private var timer = StepTimer()

    init(
        _ engine: any StorageEngine, journal: DigestJournal, reading: SpaceReading, retention: Retention,
        watcher: (any SpaceWatcher)?, census: SiblingCensus, keeper: StorageKeeper
    ) {
        self.engine = engine
        self.journal = journal
        self.reading = reading
        self.retention = retention
        self.watcher = watcher
        self.census = census
        self.keeper = keeper
        log = LogReader(engine: engine)
    }

    mutating func facts(for needs: PivotNeeds) throws(StoreError) -> PivotFacts {
        var states = WorkingSet()
        states.reserveCapacity(needs.paths.count + needs.leavingPaths.count)
        if !needs.leavingPaths.isEmpty {
            for (path, state) in zip(needs.leavingPaths, try reading.states(needs.leavingPaths)) { states.load(path, state) }
        }
        for path in needs.paths where !states.isLoaded(path) { states.load(path, try reading.state(path)) }
        var facts = PivotFacts(states: states, horizon: retention.horizon)
        for position in needs.positions where facts.checkpoints[position] == nil {
            facts.checkpoints[position] = try log.checkpoint(at: position)
        }
        timer = StepTimer()
        return facts
    }

    mutating func store(_ commit: PivotCommit, of core: PivotCore) throws(StoreError) {
        var next = journal
        let batch = CommitRecord.batch(commit, core.base, &next)
        let engine = engine
        do throws(StoreError) {
            try timer.storing { () throws(StorageError) in try engine.commit(batch) }
        } catch {
            watcher?.commitFailed(error.code)
            keeper.met(error)
            throw error
        }
        journal = next
        watcher?.committed(step: timer.total, storage: timer.storage)
        census.update(commit.base.states)
    }

    mutating func load(after core: PivotCore) throws(StoreError) -> PivotCore {
        let loader = SpaceLoader(view: engine)
        let (base, stored) = try loader.base(core.base.space)
        let fresh = core.reloaded(base: base, record: try loader.pivotRecord())
        try retention.reload()
        journal = stored
        census.forget()
        return fresh
    }
}
