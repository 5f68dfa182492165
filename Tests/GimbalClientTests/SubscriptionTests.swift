import GimbalClient
import GimbalWire
import Testing

/// Subscriptions against a server that follows a script: what comes of each message, and what of each mishap.
struct SubscriptionTests {
    /// The changes as short texts, until the script is over.
    private static func changes(of target: String, _ server: ScriptedServer) async throws -> [String] {
        var result: [String] = []
        for try await change in server.client.subscribe(target, as: Int.self) {
            switch change {
            case .snapshot(let entries): result.append("=" + entries.map { "\($0.path):\($0.value)" }.joined(separator: ","))
            case .inserted(let entry): result.append("+\(entry.path):\(entry.value)")
            case .updated(let entry): result.append("~\(entry.path):\(entry.value)")
            case .removed(let entry): result.append("-\(entry.path)")
            }
        }
        return result
    }

    @Test("list patches become changes by path, one a message and path")
    func lists() async throws {
        let server = ScriptedServer([
            .messages([
                snapshot("1", "[\(meta("t/b", "2", created: 2)),\(meta("t/a", "1"))]"),
                patch("2", #"[{"op":"add","path":"/0","value":\#(meta("t/c", "3", created: 3))}]"#),
                patch("3", #"[{"op":"replace","path":"/2","value":\#(meta("t/a", "10", updated: 4))}]"#),
                patch("4", #"[{"op":"replace","path":"/1/updated","value":5},{"op":"replace","path":"/1/data","value":20}]"#),
                patch("5", #"[{"op":"remove","path":"/0"},{"op":"remove","path":"/0"}]"#),
                // Deleted and written again: it moves, and changed once.
                patch("6", #"[{"op":"remove","path":"/0"},{"op":"add","path":"/0","value":\#(meta("t/a", "11", created: 6))}]"#),
                patch("7", #"[{"op":"add","path":"/-","value":\#(meta("t/z", "1", created: 1))},{"op":"remove","path":"/1"}]"#),
                patch("8", "[]"),
                snapshot("9", "[\(meta("t/d", "4", created: 9)),\(meta("t/a", "11", created: 6))]"),
            ])
        ])
        #expect(
            try await Self.changes(of: "t/*", server) == [
                "=t/b:2,t/a:1", "+t/c:3", "~t/a:10", "~t/b:20", "-t/c", "-t/b", "~t/a:11", "+t/d:4",
            ])
        #expect(server.versions == ["-", "9"])
    }

    @Test("a key appears, changes member by member, and goes")
    func keys() async throws {
        let nothing = #"{"created":0,"updated":0,"index":"","data":{}}"#
        let server = ScriptedServer([
            .messages([
                snapshot("1", nothing), snapshot("2", meta("s", "1")),
                patch("3", #"[{"op":"replace","path":"/updated","value":7},{"op":"replace","path":"/data","value":8}]"#),
                // As the Go original says that a key is gone.
                patch(
                    "4",
                    #"[{"op":"replace","path":"/created","value":0},{"op":"replace","path":"/updated","value":0},{"op":"replace","path":"/index","value":""},{"op":"replace","path":"/data","value":{}},{"op":"remove","path":"/path"}]"#
                ),
                snapshot("5", nothing),
            ])
        ])
        #expect(try await Self.changes(of: "s", server) == ["=", "+s:1", "~s:8", "-s"])
    }

    @Test("a connection that breaks comes back with its version, and only differences are changes")
    func resumption() async throws {
        let add = { (path: String, created: Int) in #"[{"op":"add","path":"/0","value":\#(meta(path, "1", created: created))}]"# }
        let server = ScriptedServer([
            .refusal(.notReady),
            .messages([snapshot("a", "[\(meta("t/1", "1"))]")]),
            .messages([]),
            .refusal(.unreachable("")),
            .messages([patch("b", add("t/2", 2))]),
            .messages([snapshot("c", "[\(meta("t/3", "1", created: 3)),\(meta("t/2", "9", created: 2, updated: 9))]")]),
        ])
        #expect(try await Self.changes(of: "t/*", server) == ["=t/1:1", "+t/2:1", "-t/1", "~t/2:9", "+t/3:1"])
        #expect(server.versions == ["-", "-", "a", "a", "a", "b", "c"])
    }

    @Test(
        "a message that does not fit is not seen: everything is asked for anew",
        arguments: [
            "nonsense", #"{"snapshot":false}"#, patch("x", #"[{"op":"remove","path":"/2"}]"#), patch("x", "{}"),
            patch("x", #"[{"op":"remove","path":"/0"},{"op":"replace","path":"/0/nothing","value":1}]"#),
            patch("x", #"[{"op":"add","path":"/0","value":\#(meta("t/n", "1"))},{"op":"replace","path":"/1","value":5}]"#),
            patch("x", #"[{"op":"move","from":"/0","path":"/1"}]"#), snapshot("x", "5"), snapshot("x", "[{}]"),
            snapshot("x", #"[{"created":1,"updated":0,"index":"b","path":"a//b","data":1}]"#),
        ])
    func misfits(_ message: String) async throws {
        let whole = "[\(meta("t/b", "2", created: 2)),\(meta("t/a", "1"))]"
        let server = ScriptedServer([
            .messages([snapshot("1", whole), message, patch("9", #"[{"op":"remove","path":"/0"}]"#)]),
            .messages([snapshot("2", whole), patch("3", #"[{"op":"remove","path":"/0"}]"#)]),
        ])
        #expect(try await Self.changes(of: "t/*", server) == ["=t/b:2,t/a:1", "-t/b"])
        #expect(server.versions == ["-", "-", "3"])
    }

    @Test("what cannot get better by waiting ends the loop; what may is tried as often as was said")
    func failures() async throws {
        let forbidden = ScriptedServer([.refusal(.forbidden("no"))])
        await #expect(throws: GimbalError.forbidden("no")) { try await Self.changes(of: "t/*", forbidden) }
        let away = ScriptedServer(Array(repeating: .refusal(.unreachable("away")), count: 9))
        await #expect(throws: GimbalError.unreachable("away")) { try await Self.changes(of: "t/*", away) }
        #expect(away.versions.count == 4)
        let wrong = ScriptedServer([.messages([snapshot("1", "[\(meta("t/a", #""text""#))]")])])
        await #expect(throws: GimbalError.self) { try await Self.changes(of: "t/*", wrong) }
    }

    @Test("after its end an iteration stays ended")
    func ended() async throws {
        let server = ScriptedServer([.refusal(.forbidden("no"))])
        var iterator = server.client.subscribe("t/*", as: Int.self).makeAsyncIterator()
        await #expect(throws: GimbalError.forbidden("no")) { try await iterator.next() }
        #expect(try await iterator.next() == nil)
    }

    @Test("a loop that waits ends when its task is cancelled")
    func cancellation() async throws {
        let server = ScriptedServer([.open([snapshot("1", "[]")])])
        let task = Task { try await Self.changes(of: "t/*", server) }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        #expect(try await task.value == ["="] || task.isCancelled)
    }

    @Test("applied change by change, an array is in the order of lists")
    func order() async throws {
        let server = ScriptedServer([
            .messages([
                snapshot("1", "[\(meta("t/a", "1", created: 5))]"),
                snapshot(
                    "2", "[\(meta("t/c", "1", created: 6)),\(meta("t/a", "1", created: 5)),\(meta("t/b", "1", created: 5))]"),
                snapshot(
                    "3", "[\(meta("t/b", "1", created: 7)),\(meta("t/c", "2", created: 6)),\(meta("t/d", "1", created: 1))]"),
            ])
        ])
        var entries: [Entry<Int>] = []
        for try await change in server.client.subscribe("t/*", as: Int.self) { entries.apply(change) }
        #expect(entries.map(\.path) == ["t/b", "t/c", "t/d"] && entries.map(\.value) == [1, 2, 1])
    }
}
