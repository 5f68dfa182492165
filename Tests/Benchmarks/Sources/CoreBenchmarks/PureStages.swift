import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalWire

/// What needs no storage: one thread each.
enum PureStages {
    static func all(_ workload: Workload) -> [Stage] {
        let primitives = SodiumPrimitives()
        let deltas = workload.deltas(in: workload.space)
        return [
            merge(workload), encode(workload), seal(workload), verify(deltas, workload, primitives),
            decode(deltas, workload), digest(workload, primitives), step(workload, primitives, together: 16),
        ]
    }

    private static func timed(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
        let start = ProcessorTime.ofThread()
        try body()
        return (ProcessorTime.ofThread() - start) / Double(count)
    }

    private static func effects(_ workload: Workload) -> [(key: Int, effect: Effect)] {
        (0..<workload.operations).map { number in
            let dot = Dot(replica: workload.replica, sequence: UInt64(number + 1))
            let stamp = HybridTimestamp(milliseconds: 1_700_000_000_000 + UInt64(number))
            let write = Write(dot: dot, stamp: stamp, created: stamp, operationHash: .zero, value: workload.value(number))
            return (workload.key(number), .put(write, observed: []))
        }
    }

    private static func merge(_ workload: Workload) -> Stage {
        let effects = effects(workload)
        return Stage(name: "merge", what: "an operation applied to a member in memory") {
            var states = [PathState?](repeating: nil, count: Workload.keys)
            return timed(effects.count) {
                for (key, effect) in effects { states[key] = PathState.applying(effect, to: states[key]) }
            }
        }
    }

    private static func encode(_ workload: Workload) -> Stage {
        let operations = (0..<workload.operations).map(workload.operation)
        return Stage(name: "encode", what: "an operation to its bytes") {
            timed(operations.count) { for operation in operations { precondition(!operation.encoded.isEmpty) } }
        }
    }

    private static func seal(_ workload: Workload) -> Stage {
        Stage(name: "seal", what: "operations encoded, hashed, signed") {
            timed(workload.operations) { precondition(!workload.deltas(in: workload.space).isEmpty) }
        }
    }

    private static func verify(_ deltas: [VerifiedDelta], _ workload: Workload, _ primitives: SodiumPrimitives) -> Stage {
        Stage(name: "verify", what: "a received delta parsed, its signature and its tree checked") {
            try timed(workload.operations) {
                for delta in deltas {
                    let verified = try SealedDelta(decoding: delta.sealed.bytes).verified(primitives)
                    precondition(verified.headerHash == delta.headerHash)
                }
            }
        }
    }

    private static func decode(_ deltas: [VerifiedDelta], _ workload: Workload) -> Stage {
        Stage(name: "decode", what: "operations of a verified delta decoded and checked") {
            timed(workload.operations) { for delta in deltas { precondition(IncomingDelta(delta).malformed.isEmpty) } }
        }
    }

    private static func digest(_ workload: Workload, _ primitives: SodiumPrimitives) -> Stage {
        let effects = effects(workload)
        let paths = (0..<Workload.keys).map(workload.path)
        return Stage(name: "digest", what: "a write counted out of the state digest and another in") {
            var digest = StateDigest()
            var last = [Write?](repeating: nil, count: Workload.keys)
            return timed(effects.count) {
                for (key, effect) in effects {
                    guard case .put(let write, _) = effect else { continue }
                    digest.replace(last[key].map { [$0] } ?? [], with: [write], on: paths[key], primitives)
                    last[key] = write
                }
            }
        }
    }

    /// The pivot's core alone, with states that are in memory: from requests to the commit that has to be stored.
    private static func step(_ workload: Workload, _ primitives: SodiumPrimitives, together: Int) -> Stage {
        let paths = (0..<Workload.keys).map(workload.path)
        return Stage(name: "step-\(together)", what: "a pivot's own writes become a commit, \(together) in each") {
            var core = pivot(workload, primitives)
            var states = [PathState?](repeating: nil, count: Workload.keys)
            var random = SystemRandomNumberGenerator()
            let values = (0..<workload.operations).map(workload.value)
            return timed(workload.operations) {
                for first in stride(from: 0, to: workload.operations, by: together) {
                    let numbers = first..<min(first + together, workload.operations)
                    var loaded = WorkingSet()
                    var inputs: [PivotInput] = []
                    for number in numbers {
                        let key = workload.key(number)
                        loaded.load(paths[key], states[key])
                        let action = WriteRequest.Action.set(paths[key], value: values[number])
                        inputs.append(.write(WriteRequest(token: UInt64(number), action: action)))
                    }
                    let now = Now(wallMilliseconds: 1_700_000_000_000, steadyMilliseconds: UInt64(first))
                    let step = core.step(inputs, given: PivotFacts(states: loaded), now: now, using: &random)
                    guard let commit = step.commit else { preconditionFailure("a commit") }
                    for (path, state) in commit.base.states { states[workload.number(of: path)] = state }
                }
            }
        }
    }

    private static func pivot(_ workload: Workload, _ primitives: SodiumPrimitives) -> PivotCore {
        let write = Write(
            dot: Dot(replica: workload.replica, sequence: 1), stamp: .zero, created: .zero, operationHash: .zero,
            value: Workload.settings.json)
        var records = SpaceRecords()
        records.update(SpaceRecords.settingsPath, .register(Register(write)))
        return PivotCore(
            base: SpaceBase(space: workload.space, records: records), record: PivotRecord(), signer: workload.author,
            primitives: primitives)
    }
}
