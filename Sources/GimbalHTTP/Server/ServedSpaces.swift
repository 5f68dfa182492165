import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import Synchronization

/// One space of this process as its routes and its operator see it.
final class ServedSpace: Sendable {
    enum State: Sendable {
        case led(PivotSpace, PivotRoutes)
        case followed(NodeSession)
        case local(PivotSpace)
        /// It is not served; the others are. With its id, if that is known.
        case unavailable(NodeFault, SpaceID?)
    }

    let name: String
    let plan: SpacePlan?
    private let current: Mutex<State>
    private let overlap = Mutex<NodeFault?>(nil)

    /// The file that says that the space's database was lost; whoever has seen to it removes the file.
    private let lossPath: String?

    static let lossCode = "log-lost"

    init(name: String, plan: SpacePlan? = nil, _ state: State, lossPath: String? = nil) {
        self.name = name
        self.lossPath = lossPath
        self.plan = plan
        current = Mutex(state)
    }

    var state: State { current.withLock { $0 } }

    var held: OperatorRoutes.Held {
        switch state {
        case .led(let pivot, _), .local(let pivot): .pivot(pivot)
        case .followed(let session): session.node.map { .node($0) } ?? .none(session.fault)
        case .unavailable(let fault, _): .none(fault)
        }
    }

    var pivotURL: String? { plan?.following?.pivotURL }

    var role: String {
        guard let plan else { return SpaceHost.localName }
        return plan.leading == nil ? "node" : "pivot"
    }

    /// What this process itself holds against the space, whatever its pivot says.
    var fault: NodeFault? {
        if case .unavailable(let fault, _) = state { return fault }
        return overlap.withLock { $0 } ?? loss
    }

    private var loss: NodeFault? {
        guard let lossPath, access(lossPath, F_OK) == 0 else { return nil }
        let detail = "the database of this space was not there and began empty: put it back, or remove \(lossPath)"
        return .local(code: Self.lossCode, detail: detail)
    }

    /// How it stands, for everybody who asks.
    var standing: Standing {
        if case .unavailable = state { return Standing(.unavailable, process: fault) }
        switch held {
        case .none(let refusal): return Standing(.awaited, process: fault, replication: refusal)
        case .pivot(let pivot): return Standing(.serving, process: fault, storage: pivot.storageFault)
        case .node(let node):
            return Standing(
                node.isReady ? .serving : .awaited, process: fault, storage: node.storageFault, replication: node.fault,
                proof: node.proofFault)
        }
    }

    var id: SpaceID? {
        switch state {
        case .led(let pivot, _), .local(let pivot): pivot.space
        case .followed(let session): session.node?.space
        case .unavailable(_, let id): id
        }
    }

    /// Shows that it wants paths that another space owns; nil when it does not any more.
    ///
    /// - Returns: whether that is news.
    func show(overlap fault: NodeFault?) -> Bool {
        overlap.withLock { known in
            defer { known = fault }
            return known != fault
        }
    }

    func fail(_ fault: NodeFault) {
        let id = id
        current.withLock { $0 = .unavailable(fault, id) }
    }
}

/// The spaces of this process, by name.
final class ServedSpaces: Sendable {
    let replicated: [ServedSpace]
    let local: ServedSpace

    init(_ replicated: [ServedSpace], local: ServedSpace) {
        self.replicated = replicated
        self.local = local
    }

    var all: [ServedSpace] { replicated + [local] }
    /// The one that is meant where none is named.
    var only: ServedSpace? { replicated.count == 1 ? replicated.first : nil }
    var led: [(served: ServedSpace, pivot: PivotSpace, routes: PivotRoutes)] {
        replicated.compactMap { if case .led(let pivot, let routes) = $0.state { ($0, pivot, routes) } else { nil } }
    }
    var followed: [NodeSpace] { replicated.compactMap { if case .node(let node) = $0.held { node } else { nil } } }

    /// By name or id.
    subscript(text: String) -> ServedSpace? {
        all.first { $0.name == text } ?? all.first { $0.id != nil && $0.id?.hex == text }
    }

    /// What `?space=` names; nil where the request names none.
    func named(in request: Request) throws -> ServedSpace? {
        guard let text = request.uri.queryParameters["space"].map(String.init) else { return nil }
        guard let space = self[text] else { throw SelectionError(code: "no-such-space", spaces: all) }
        return space
    }

    /// The space that a request is about: the one that it names, or the only one.
    func select(_ request: Request) throws -> ServedSpace {
        if let space = try named(in: request) ?? only { return space }
        throw SelectionError(code: "space-needed", spaces: all)
    }

    /// Its nodes, as far as they were heard since this process started.
    func nodes(_ request: Request? = nil) throws -> [PivotHealth.Entry] {
        let chosen = try request.flatMap { try named(in: $0) }
        return led.filter { chosen == nil || $0.served === chosen }.flatMap { led in
            led.routes.health.entries(of: led.served.name, logEnd: led.pivot.place.position)
        }
    }

    struct SelectionError: Error, HTTPResponseError {
        let code: String
        let spaces: [ServedSpace]

        var status: HTTPResponse.Status { .badRequest }

        func response(from request: Request, context: some RequestContext) throws -> Response {
            let names = spaces.map(\.name).joined(separator: ", ")
            return refusal(status, code, "say which space is meant (?space=, --space): this server holds \(names)")
        }
    }
}
