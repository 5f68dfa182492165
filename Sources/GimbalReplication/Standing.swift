/// How a space stands in one process, for everybody who asks: its status, the metrics, the health check, the page and programs
/// that embed a node all read this and nothing else.
public struct Standing: Hashable, Sendable {
    public enum Phase: String, Hashable, Sendable {
        /// Its first copy is still to come.
        case awaited
        /// What is here of it can be read.
        case serving
        /// What is stored of it cannot be opened.
        case unavailable
    }

    public var phase: Phase
    /// What is wrong; of several faults the one that keeps others from being mended.
    public var fault: NodeFault?
    /// Whether reads and writes are answered as they should be. A node whose pivot is away, or refuses it, serves.
    public var isReady: Bool

    /// - Parameters:
    ///   - phase: how far it is.
    ///   - process: what this process itself holds against the space, such as paths that another owns.
    ///   - storage: what its storage's trouble is.
    ///   - replication: what the core or the pivot's answers say.
    ///   - proof: what a snapshot was found not to prove.
    public init(
        _ phase: Phase, process: NodeFault? = nil, storage: NodeFault? = nil, replication: NodeFault? = nil,
        proof: NodeFault? = nil
    ) {
        self.phase = phase
        isReady = phase == .serving && storage == nil
        fault = phase == .unavailable ? process ?? storage : storage ?? process ?? replication ?? proof
    }
}
