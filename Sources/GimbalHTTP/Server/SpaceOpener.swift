import AsyncHTTPClient
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Logging
import ServiceLifecycle

/// Opens the spaces of one process. Where there are several, one that cannot be opened does not keep the others from
/// serving; where there is one, the process does not start.
struct SpaceOpener {
    let options: ServerOptions
    let folder: DataFolder
    let host: SpaceHost
    let http: HTTPClient
    let address: @Sendable () -> String
    let logger: Logger

    static func openLocal(
        _ options: ServerOptions, _ folder: DataFolder, _ logger: Logger
    ) async throws -> (store: any SpaceStore, served: ServedSpace) {
        let name = SpaceHost.localName
        do {
            let opened = try await LedSpace.open(name, in: folder, patterns: [.everything], options: options.storeOptions)
            warn(of: opened, logger)
            return (opened.space, ServedSpace(name: name, .local(opened.space), lossPath: opened.lossPath))
        } catch {
            guard options.spaces.count > 1 else { throw error }
            let fault = fault(error, name, logger)
            return (AbsentSpace(.unavailable), ServedSpace(name: name, .unavailable(fault, nil)))
        }
    }

    /// Opens all; throws when none can be opened.
    func open() async throws -> (spaces: [ServedSpace], keeper: ClaimKeeper) {
        var failures: [any Error] = []
        let candidates = options.spaces.map { plan in open(plan, &failures) }
        let keeper = try ClaimKeeper(candidates, host: host, logger: logger)
        for candidate in candidates {
            guard case .led(let pivot, _) = candidate.served.state, let plan = candidate.plan.leading else { continue }
            do {
                let isNew = pivot.place == .start
                let asked = candidate.plan.patterns
                try await LedSpace.settle(
                    pivot,
                    LedSpace.Wishes(
                        patterns: asked.isEmpty && isNew ? [.everything] : asked, allowed: plan.allowed,
                        valueBytes: plan.valueBytes, maxClockAheadMilliseconds: plan.maxClockAheadMilliseconds))
                try await keeper.settle(candidate, pivot)
            } catch {
                failures.append(error)
                pivot.close()
                fail(candidate.served, error)
            }
        }
        if failures.count == candidates.count, let first = failures.first { throw first }
        return (candidates.map(\.served), keeper)
    }

    private func open(_ plan: SpacePlan, _ failures: inout [any Error]) -> ClaimKeeper.Candidate {
        var space: DataFolder?
        do {
            let folder = try self.folder(of: plan)
            space = folder
            return ClaimKeeper.Candidate(
                served: try open(plan, in: folder), plan: plan, folder: folder)
        } catch {
            failures.append(error)
            let id = space.flatMap { LedSpace.storedID(LedSpace.replicatedName, in: $0) }
            let served = ServedSpace(name: plan.name, plan: plan, .unavailable(Self.fault(error, plan.name, logger), id))
            host.update(plan.name) { $0.store = AbsentSpace(.unavailable) }
            return ClaimKeeper.Candidate(served: served, plan: plan, folder: space)
        }
    }

    private func folder(of plan: SpacePlan) throws -> DataFolder {
        let path = { (text: String) in URL(fileURLWithPath: text).standardizedFileURL.path }
        if path(plan.dataFolder) == path(folder.path) { return folder }
        let other = try DataFolder(plan.dataFolder)
        Self.warn(of: other, logger)
        return other
    }

    static func warn(of folder: DataFolder, _ logger: Logger) {
        guard !folder.readableByOthers.isEmpty else { return }
        let names = folder.readableByOthers.joined(separator: ", ")
        logger.warning("others may look into the data folder: chmod go-rx ends that", metadata: ["folders": "\(names)"])
    }

    private static func warn(of opened: LedSpace.Opened, _ logger: Logger) {
        guard let path = opened.lossPath else { return }
        logger.error(
            "the database of a space was not there: the space began empty under its old keys",
            metadata: ["space": "\(opened.space.space)", "code": "\(ServedSpace.lossCode)", "file": "\(path)"])
    }

    private func open(_ plan: SpacePlan, in folder: DataFolder) throws -> ServedSpace {
        switch plan.role {
        case .lead(let leading):
            try folder.require(.pivot)
            let led = try LedSpace.openStored(LedSpace.replicatedName, in: folder, options: options.storeOptions)
            if let path = led.newRootKeyPath {
                logger.notice(
                    "founded space \(led.space.space): its root key is in \(path). Keep a copy in a safe place: with it this space can name a new pivot, without it nobody can"
                )
            }
            Self.warn(of: led, logger)
            host.update(plan.name) { $0.store = led.space }
            let routes = PivotRoutes(pivot: led.space, leading, http: http, logger: logger)
            return ServedSpace(name: plan.name, plan: plan, .led(led.space, routes), lossPath: led.lossPath)
        case .follow(let following):
            try folder.require(.node)
            let session = try NodeSession(
                name: plan.name, plan: following, folder: folder, host: host, http: http,
                options: options.storeOptions, connectTimeout: options.connectTimeout, address: address, logger: logger)
            return ServedSpace(name: plan.name, plan: plan, .followed(session))
        }
    }

    /// Takes one space out of service and leaves the others as they are.
    func fail(_ served: ServedSpace, _ error: any Error) {
        served.fail(Self.fault(error, served.name, logger))
        host.update(served.name) { space in
            (space.store, space.freshness) = (AbsentSpace(.unavailable), nil)
        }
    }

    private static func fault(_ error: any Error, _ name: String, _ logger: Logger) -> NodeFault {
        let code = ServerExit.classify(error).code
        logger.error(
            "a space is unavailable, the others are not concerned",
            metadata: ["space": "\(name)", "code": "\(code)", "detail": "\(error)"])
        return .local(code: code, detail: "\(error)")
    }
}

/// The session of one followed space, whose failure is its own where there are others.
struct SessionService: Service {
    let session: NodeSession
    let served: ServedSpace
    let opener: SpaceOpener

    func run() async throws {
        do {
            try await session.run()
        } catch {
            guard opener.options.spaces.count > 1 else { throw error }
            session.node?.close()
            opener.fail(served, error)
        }
    }
}
