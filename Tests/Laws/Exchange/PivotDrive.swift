import GimbalCRDT
import GimbalReplication
import GimbalWire

/// A pivot's disk as its stepper uses it.
struct PivotDrive: MachineDisk {
    typealias Machine = PivotCore

    enum Failure: Error {
        /// It was told to fail.
        case commit
        case violation(Violation)
    }

    var disk: PivotServer.Disk
    let signer: FastSigner
    var failsNextCommit = false

    func facts(for needs: PivotNeeds) throws(Failure) -> PivotFacts {
        var states = WorkingSet()
        for path in needs.paths + needs.leavingPaths { states.load(path, disk.base.states[path]) }
        var facts = PivotFacts(states: states)
        for position in needs.positions { facts.checkpoints[position] = disk.checkpoint(at: position) }
        return facts
    }

    mutating func store(_ commit: PivotCommit, of core: PivotCore) throws(Failure) {
        if failsNextCommit {
            failsNextCommit = false
            throw .commit
        }
        do throws(Violation) {
            try disk.apply(commit, signer)
        } catch {
            throw .violation(error)
        }
    }

    func load(after core: PivotCore) throws(Failure) -> PivotCore {
        core.reloaded(base: disk.base.base, record: disk.record)
    }
}

extension PivotServer.Disk {
    public func checkpoint(at position: UInt64) -> Checkpoint? {
        checkpoints.last { $0.position == position }?.checkpoint.checkpoint
    }

    mutating func apply(_ commit: PivotCommit, _ signer: FastSigner) throws(Violation) {
        let primitives = FastPrimitives()
        base.apply(commit.base)
        record = commit.record
        do throws(WireError) {
            for appended in commit.base.entries {
                let entry = try LogEntry(decoding: appended.bytes)
                guard case .delta(let sealed) = entry.body, appended.position == UInt64(log.count) + 1 else {
                    throw WireError(.inconsistent)
                }
                log.append((entry, IncomingDelta(try sealed.verified(primitives))))
            }
            guard let checkpoint = commit.base.checkpoint else { throw WireError(.inconsistent) }
            let signed = SignedPayload(signing: checkpoint.encoded, with: signer)
            let verified = try VerifiedCheckpoint(verifying: signed, by: signer.author, of: base.space, primitives)
            checkpoints.append((checkpoint.position, verified))
        } catch {
            throw Violation("a pivot appends entries that verify, and a checkpoint with each commit", "\(error)")
        }
    }
}
