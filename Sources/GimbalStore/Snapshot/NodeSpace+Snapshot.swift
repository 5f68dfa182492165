import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire
import Synchronization

extension NodeSpace {
    /// Puts a staged snapshot in the place of the base; returns when it is on disk, or was refused.
    func install(_ snapshot: StagedSnapshot) async throws {
        let position = snapshot.checkpoint.checkpoint.position
        await withCheckedContinuation { continuation in
            deliver(.snapshot(snapshot)) { continuation.resume() }
        }
        if let failure = keeper.failure { throw StoreError.storage(failure) }
        let reached = cursor
        let place = snapshot.checkpoint.checkpoint.cursor
        // Pages may have moved it further already.
        guard reached.epoch == place.epoch ? reached.position >= position : reached.epoch.number > place.epoch.number else {
            throw WireError(.inconsistent, at: 0, "the node did not take the snapshot")
        }
        proofs.restart(ProofStatus(through: position, entries: snapshot.entries))
    }

    /// How much of the log this node keeps.
    public var retentionStatus: (horizon: UInt64, entries: UInt64, bytes: UInt64, retained: UInt64) {
        let status = retention.status
        return (status.horizon, status.entries, status.bytes, status.retained)
    }

    /// What the last snapshot was found not to prove: its signatures are checked after it is installed.
    public var proofFault: NodeFault? {
        guard case .failed(let reason)? = proofs.status?.state else { return nil }
        return .local(code: "unproven", detail: reason)
    }

    /// How far the proofs of the last snapshot are checked; nil when there never was one.
    public var proofStatus: ProofStatus? { proofs.status }
}
