import Foundation

/// The servers that Gimbal is measured against, each in its fastest form that promises the same.
struct PeerServers {
    struct Peer {
        let process: ChildProcess
        let port: UInt16
    }

    let bench: Workbench

    /// Every SET is in the append-only file and synced before its answer. Rewriting that file in the background is off, so
    /// that no round pays for it.
    func redis() throws -> Peer {
        let folder = try bench.makeFolder("redis")
        let port = try LoopbackSocket.freePort()
        let process = try bench.start(
            "redis", program: "redis-server",
            arguments: [
                "--bind", "127.0.0.1", "--port", "\(port)", "--dir", folder, "--daemonize", "no", "--save", "",
                "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
            ])
        try waitUntilConnectable(process, port: port)
        return Peer(process: process, port: port)
    }

    /// A bare SwiftNIO server that answers everything with `body`; its program lies next to this one.
    func nio(body: String, loops: Int, name: String) throws -> Peer {
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: here).deletingLastPathComponent().appendingPathComponent("nio-peer").path
        let server = try ListeningServer(
            bench, name: "nio-peer-\(name)", program: program, arguments: ["--body", body, "--loops", "\(loops)"])
        return Peer(process: server.process, port: server.port)
    }

    /// One worker that serves `body` from a file that it keeps open, without sendfile: for so few bytes one write is faster.
    func nginx(body: String) throws -> Peer {
        let folder = try bench.makeFolder("nginx")
        let port = try LoopbackSocket.freePort()
        try bench.write(body, to: "\(folder)/answer.json")
        try bench.write(Self.nginxConfiguration(folder: folder, port: port), to: "\(folder)/nginx.conf")
        let process = try bench.start(
            "nginx", program: "nginx",
            arguments: ["-e", "stderr", "-p", folder, "-c", "\(folder)/nginx.conf"])
        try waitUntilConnectable(process, port: port)
        return Peer(process: process, port: port)
    }

    private func waitUntilConnectable(_ process: ChildProcess, port: UInt16) throws {
        try waitUntil("\(process.name) takes connections", timeoutSeconds: 20) {
            try process.checkRunning()
            return (try? LoopbackSocket.connected(to: port)) != nil
        }
    }

    private static func nginxConfiguration(folder: String, port: UInt16) -> String {
        let temporaryFolders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "    \($0)_temp_path \(folder)/\($0);" }
            .joined(separator: "\n")
        return """
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log stderr error;
            events { worker_connections 1024; }
            http {
                access_log off;
                default_type application/json;
                sendfile off;
                tcp_nodelay on;
                keepalive_requests 1000000000;
                open_file_cache max=16;
            \(temporaryFolders)
                server {
                    listen 127.0.0.1:\(port);
                    root \(folder);
                    location / { try_files /answer.json =404; }
                }
            }
            """
    }
}
