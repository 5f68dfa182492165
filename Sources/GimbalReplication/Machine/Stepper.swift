/// Where a machine's facts come from and its commits go to.
public protocol MachineDisk<Machine> {
    associatedtype Machine: GimbalReplication.Machine
    associatedtype Failure: Error

    /// Loads what a step asks for.
    mutating func facts(for needs: Machine.Needs) throws(Failure) -> Machine.Facts

    /// Makes a commit durable, all of it or nothing. `machine` is what the commit leaves.
    mutating func store(_ commit: Machine.Commit, of machine: Machine) throws(Failure)

    /// The machine as it is stored now, as a restart would find it. What is not stored and must not begin anew is taken from
    /// `machine`, which ran before that.
    mutating func load(after machine: Machine) throws(Failure) -> Machine
}

/// Runs one machine over its disk. Everything that executes a machine does it with this: the servers' writer threads, the laws
/// and the fuzz targets.
///
/// **Function.** `run` asks the machine what the inputs need, loads it, steps, stores the commit, and hands out the directives.
/// When loading fails the machine is what it was before. When storing fails nobody knows whether the commit is on disk, and a dot
/// must never be given twice: the machine is read anew from the disk before it takes another step. In both cases the caller
/// decides what becomes of the inputs.
///
/// **Implementation.** It is synchronous and has one owner, so no two steps overlap and the facts of a step are those that the
/// commit before it left.
public struct Stepper<Disk: MachineDisk> {
    public private(set) var machine: Disk.Machine
    public var disk: Disk
    /// Whether a commit failed and the machine was not read anew since: what it says then may not be on disk.
    public private(set) var isStale = false

    public init(_ machine: Disk.Machine, on disk: Disk) {
        self.machine = machine
        self.disk = disk
    }

    /// - Returns: what is to be carried out; its commit is stored.
    public mutating func run(
        _ inputs: [Disk.Machine.Input], now: Now, using random: inout some RandomNumberGenerator
    ) throws(Disk.Failure) -> Step<Disk.Machine.Commit, Disk.Machine.Directive> {
        if isStale { try reload() }
        let facts = try disk.facts(for: machine.needs(of: inputs))
        let step = machine.step(inputs, given: facts, now: now, using: &random)
        guard let commit = step.commit else { return step }
        do throws(Disk.Failure) {
            try disk.store(commit, of: machine)
        } catch {
            isStale = true
            throw error
        }
        return step
    }

    /// Reads the machine anew from its disk.
    public mutating func reload() throws(Disk.Failure) {
        machine = try disk.load(after: machine)
        isStale = false
    }
}

extension Stepper: Sendable where Disk: Sendable {}
