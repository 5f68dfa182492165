import GimbalCRDT
import GimbalWire

/// What a pivot's step has to be given.
public struct PivotNeeds: Sendable {
    /// Paths whose states are needed; one may come twice.
    public var paths: [Path] = []
    /// The same of paths that are as a rule about to go.
    public var leavingPaths: [Path] = []
    /// Positions at which nodes stand that push.
    public var positions: [UInt64] = []

    public init() {}
}

/// What a pivot's step was given.
public struct PivotFacts: Sendable {
    public var states: WorkingSet
    /// What is stored at the positions that were asked for; none at a position where no commit ended.
    public var checkpoints: [UInt64: Checkpoint]
    /// Checkpoints more than one below it may be gone.
    public var horizon: UInt64

    public init(states: WorkingSet, checkpoints: [UInt64: Checkpoint] = [:], horizon: UInt64 = 1) {
        self.states = states
        self.checkpoints = checkpoints
        self.horizon = horizon
    }
}

extension PivotCore: Machine {
    public func needs(of inputs: [PivotInput]) -> PivotNeeds {
        var needs = PivotNeeds()
        needs.paths.reserveCapacity(inputs.count)
        for input in inputs {
            switch input {
            case .write(let request):
                if let path = request.path { needs.paths.append(path) } else { needs.leavingPaths += request.paths }
            case .push(let push):
                needs.positions.append(push.cursor.position)
                for delta in push.deltas { needs.paths += delta.paths }
            }
        }
        return needs
    }
}
