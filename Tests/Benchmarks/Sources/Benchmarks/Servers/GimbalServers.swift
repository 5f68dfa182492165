/// Starts Gimbal's programs with the flags of an open space of `things/*` on this machine.
struct GimbalServers {
    let bench: Workbench
    let binaries: String

    /// `run` tells the starts of one pivot apart: its data folder outlives them.
    func pivot(data: String, run: String) throws -> ListeningServer {
        let server = try ListeningServer(
            bench, name: "pivot-\(run)", program: "\(binaries)/pivot",
            arguments: ["--listen", "127.0.0.1:0", "--data", data, "--sync", "things/*", "--open-enrollment"])
        try server.waitUntilReady()
        return server
    }

    /// Does not wait for the node to be ready: that is part of what some rows measure.
    ///
    /// - Parameter data: a folder that outlives this start; a new one if nil.
    func node(pivotPort: UInt16, name: String, data: String? = nil) throws -> ListeningServer {
        try ListeningServer(
            bench, name: "node-\(name)", program: "\(binaries)/node",
            arguments: [
                "--pivot", "http://127.0.0.1:\(pivotPort)", "--listen", "127.0.0.1:0", "--data",
                try data ?? bench.makeFolder("node-\(name)"),
            ])
    }

    /// One of many on this machine.
    func smallNode(pivotPort: UInt16, name: String, data: String) throws -> ListeningServer {
        try ListeningServer(
            bench, name: "node-\(name)", program: "\(binaries)/node",
            arguments: [
                "--profile", "small", "--pivot", "http://127.0.0.1:\(pivotPort)", "--listen", "127.0.0.1:0", "--data", data,
            ])
    }
}
