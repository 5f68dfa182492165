import GimbalCRDT
import GimbalStore
import HTTPTypes
import Hummingbird

/// The replication routes of a process: those of each space that it leads, the list of them, and the trigger of each that it
/// follows.
struct DirectoryRoutes: Sendable {
    let spaces: ServedSpaces

    func add(to router: Router<ServerContext>) {
        for led in spaces.led { led.routes.add(to: router) }
        router.get(RouterPath(ReplicationPath.spaces)) { _, _ in jsonResponse(directory) }
        router.post("/_pivot/v1/spaces/:space/pull") { _, context in
            for space in spaces.replicated where space.id?.hex == context.parameters.get("space") {
                guard case .followed(let session) = space.state else { break }
                session.pull()
                return Response(status: .noContent)
            }
            return refusal(.notFound, "no-such-space", "this server does not follow that space")
        }
        // Another space's routes, signed or not.
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/_pivot/v1/spaces/:space/:route", method: method) { _, context in
                for space in spaces.replicated where space.id?.hex == context.parameters.get("space") {
                    if case .unavailable = space.state {
                        return refusal(.serviceUnavailable, "space-unavailable", "this server cannot open that space")
                    }
                }
                return refusal(.unauthorized, "wrong-space", "this server does not lead that space")
            }
        }
    }

    private var directory: ReplicationPath.Directory {
        let named = spaces.led.map { ReplicationPath.Directory.Entry(space: $0.pivot.space.hex, name: $0.served.name) }
        return ReplicationPath.Directory(spaces: named.map(\.space), named: named)
    }
}
