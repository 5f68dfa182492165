/// A write that no other equals: where it is visible, everything that its server wrote before it is there too.
struct Marker {
    let path: String
    let value: String

    /// Writes it.
    init(path: String, value: String, at port: UInt16) throws {
        self.path = path
        self.value = value
        let answer = try HTTPConnection(port: port).post(path, json: value)
        guard answer.status == 200 else { throw BenchmarkFailure("POST \(path): \(answer.status) \(answer.text)") }
    }

    /// What the server holds itself, without asking anyone.
    func answer(at server: ListeningServer) throws -> HTTPAnswer {
        try HTTPConnection(port: server.port).get(path, header: GimbalHeader.readLocal)
    }

    func waitUntilVisible(at server: ListeningServer, timeoutSeconds: Double = 120) throws {
        let connection = try HTTPConnection(port: server.port)
        let expected = Array(value.utf8)
        try waitUntil("\(server.name) shows the last write", timeoutSeconds: timeoutSeconds, pauseMilliseconds: 2) {
            try server.process.checkRunning()
            return try connection.get(path, header: GimbalHeader.readLocal).bodyContains(expected)
        }
    }
}
