/// A server program that says `listening on 127.0.0.1:PORT` in its first line of output: Gimbal's two and the bare NIO peer.
final class ListeningServer {
    let name: String
    let process: ChildProcess
    let port: UInt16

    init(_ bench: Workbench, name: String, program: String, arguments: [String]) throws {
        self.name = name
        process = try bench.start(name, program: program, arguments: arguments)
        port = try Self.announcedPort(of: process)
    }

    /// Waits until it serves; a node does so once its first synchronisation is in.
    func waitUntilReady(timeoutSeconds: Double = 60) throws {
        try waitUntil("\(name) is ready", timeoutSeconds: timeoutSeconds, pauseMilliseconds: 2) {
            try process.checkRunning()
            // A connection for each question: a server may close one that it answered with 503.
            return try HTTPConnection(port: port).get("/_health/ready").status == 200
        }
    }

    func stop() {
        process.end(graceful: true)
    }

    private static func announcedPort(of process: ChildProcess) throws -> UInt16 {
        let announcement = "listening on 127.0.0.1:"
        var port: UInt16?
        try waitUntil("\(process.name) says where it listens", timeoutSeconds: 20) {
            try process.checkRunning()
            let output = try process.output()
            guard let end = output.firstIndex(of: "\n") else { return false }
            let line = output[..<end]
            guard line.hasPrefix(announcement), let number = UInt16(line.dropFirst(announcement.count)) else {
                throw BenchmarkFailure("\(process.name) began with “\(line)”, not with “\(announcement)PORT”")
            }
            port = number
            return true
        }
        return port ?? 0
    }
}
