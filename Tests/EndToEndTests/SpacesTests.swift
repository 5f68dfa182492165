import Foundation
import NIOHTTP1
import Testing

/// One process with several spaces, from one file: each path in its space, no overlaps, and no fault of one in another.
@Suite(.serialized, .cleansUp)
struct SpacesTests {
    /// Pivot A of `users/*`, a process that leads `things/*`, follows A and keeps a local space, and a node of `things/*`.
    struct World {
        let users: Fleet
        let many: Server
        let config: String

        init(_ users: Fleet, more: String = "") async throws {
            self.users = users
            config = "\(users.folder)/many.json"
            many = Server("pivot", name: "many", folder: "\(users.folder)/many", arguments: ["--config", config])
            try configure(usersAt: users.pivot.url)
            try await many.start()
        }

        var usersFolder: String { "\(users.folder)/users-data" }

        func configure(
            usersAt url: String, things: [String] = ["things/*"], more: (name: String, body: String)? = nil
        ) throws {
            let names = ["things", "users"] + (more.map { [$0.name] } ?? [])
            let extra = more.map { ", \"\($0.name)\": {\($0.body)}" } ?? ""
            let text = """
                {"spaces": \(names), "space": {
                  "things": {"lead": true, "sync": \(things), "openEnrollment": true},
                  "users": {"pivot": "\(url)", "data": "\(usersFolder)", "sync": ["users/*"]}\(extra)}}
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: config))
        }

        func nodeOfThings(_ name: String = "things node", space: [String] = []) async throws -> Server {
            let node = Server(
                "node", name: name, folder: "\(users.folder)/\(name.replacing(" ", with: "-"))",
                arguments: ["--pivot", many.url] + space)
            try await node.start()
            return node
        }

        func ready() async throws { try await eventually("all spaces serve") { await many.isReady() } }

        func status(of space: String) async throws -> [String: Any] {
            let reply = try await many.send(.GET, "/_gimbal/status?space=\(space)")
            return try #require(try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any])
        }

        func fault(of space: String) async throws -> String? {
            (try await status(of: space)["fault"] as? [String: Any])?["code"] as? String
        }
    }

    private func usersFleet() async throws -> Fleet { try await Fleet(nodes: 0, patterns: ["users/*"]) }

    @Test("each path goes to its space: led, followed with its own folder, and local; the tools tell them apart")
    func paths() async throws {
        let world = try await World(try await usersFleet())
        try await world.ready()
        let node = try await world.nodeOfThings()
        for (path, value) in [("things/a", "1"), ("users/a", "2"), ("other/a", "3")] { try await world.many.set(path, value) }
        try await eventually("the node of things has it") { try await node.local("things/a") == "1" }
        try await eventually("pivot A has it") { try await world.users.pivot.local("users/a") == "2" }
        try await world.users.pivot.set("users/b", "4")
        try await eventually("users come from pivot A") { try await world.many.local("users/b") == "4" }
        for server in [node, world.users.pivot] { #expect(try await server.local("other/a") == nil) }
        #expect(try await world.users.pivot.send(.GET, "/things/a").status == 404)
        #expect(FileManager.default.fileExists(atPath: "\(world.usersFolder)/replication.json"))
        let list = try await world.many.send(.GET, "/**").body
        #expect(list.matches(of: /"path":/).count == 4)
        #expect(try await world.many.send(.DELETE, "/users/*").status == 204)
        try await eventually("the collection is gone at pivot A") { try await world.users.pivot.local("users/b") == nil }
        #expect(try await world.many.local("things/a") == "1")

        let overview = try Binaries.run("gimbal", ["status", world.many.folder]).output
        for name in ["things", "users", "local"] { #expect(overview.contains(name)) }
        let one = try Binaries.run("gimbal", ["status", world.many.folder, "--space", "users", "--json"]).output
        #expect(one.contains(#""role":"node""#) && one.contains("users/*") && !one.contains("things/*"))
        let ambiguous = try Binaries.run("gimbal", ["member", "list", world.many.folder])
        #expect(ambiguous.status != 0 || ambiguous.output.isEmpty)
        #expect(ambiguous.errors.contains("[space-needed]") && ambiguous.errors.contains("things, users, local"))
        #expect(
            try Binaries.run("gimbal", ["member", "list", world.many.folder, "--space", "things"]).output.contains("writes **"))
        let bundle = "\(world.users.folder)/things.bundle"
        #expect(try Binaries.run("gimbal", ["export", world.many.folder, "things/*", "--output", bundle]).status == 0)
        #expect(try Binaries.run("gimbal", ["verify", bundle]).output.contains("things/a"))
        #expect(try Binaries.run("gimbal", ["explain", world.many.folder, "things/a"]).output.contains("stands"))

        world.many.stop()
        try await world.many.start()
        #expect(try await world.many.local("other/a") == "3")
        #expect(try await world.many.local("things/a") == "1")
    }

    @Test("overlapping spaces are refused at start, as configured and as known from before, and nothing is written")
    func overlaps() async throws {
        let world = try await World(try await usersFleet())
        try await world.ready()
        world.many.stop()
        let flags = ["--config", world.config, "--data", world.many.folder, "--listen", "127.0.0.1:0"]
        for more in [
            (name: "more", body: #""lead": true, "sync": ["things/a", "z"]"#),
            (name: "more", body: #""lead": true, "sync": ["users/**"]"#),
            (name: "more", body: #""pivot": "http://127.0.0.1:1", "sync": ["**"]"#),
        ] {
            try world.configure(usersAt: world.users.pivot.url, more: more)
            let refused = try Binaries.run("pivot", flags)
            #expect(refused.status == 65)
            #expect(refused.errors.contains("[spaces-overlap]") && refused.errors.contains(#""more""#))
        }
        // Not in the file any more, but known from the pivot.
        let text = try String(contentsOfFile: world.config, encoding: .utf8)
            .replacing(#", "sync": ["users/*"]"#, with: "").replacing(#"["**"]"#, with: #"["users/x"]"#)
        try Data(text.utf8).write(to: URL(fileURLWithPath: world.config))
        let refused = try Binaries.run("pivot", flags)
        #expect(refused.status == 65)
        #expect(refused.errors.contains("[spaces-overlap]"))
        try world.configure(usersAt: world.users.pivot.url)
        try await world.many.start()
        #expect(try await world.status(of: "things")["patterns"] as? [String] == ["things/*"])
    }

    @Test("a space that grows into another's paths shows a fault; both go on with what was theirs, after a restart too")
    func growth() async throws {
        let world = try await World(try await usersFleet())
        try await world.ready()
        try await world.many.set("things/a", #""ours""#)
        world.users.pivot.stop()
        try await world.users.pivot.start(with: ["--sync", "things/*"])
        try await world.users.pivot.set("things/a", #""theirs""#)
        try await eventually("the fault is shown") { try await world.fault(of: "users") == "spaces-overlap" }
        for round in 0..<2 {
            #expect(try await world.fault(of: "things") == nil)
            #expect(try await world.many.local("things/a") == #""ours""#)
            #expect(try await world.many.send(.GET, "/things/*").body.matches(of: /"path":/).count == 1 + round)
            try await world.many.set("things/b", "\(round)")
            try await world.users.pivot.set("users/\(round)", "1")
            try await eventually("users go on") { try await world.many.local("users/\(round)") == "1" }
            world.many.stop()
            try await world.many.start()
            try await eventually("the fault is still shown") { try await world.fault(of: "users") == "spaces-overlap" }
        }
        #expect(try await world.users.pivot.local("things/b") == nil)
    }

    @Test("a space that cannot be opened, or whose pivot is away, is its own matter")
    func isolation() async throws {
        let world = try await World(try await usersFleet())
        try await world.ready()
        let node = try await world.nodeOfThings()
        try await world.many.set("users/a", "1")
        world.users.pivot.kill()
        try await world.many.set("things/a", "1")
        try await eventually("things are led on") { try await node.local("things/a") == "1" }
        let away = try await world.many.send(.GET, "/users/a")
        #expect(away.status == 200 && away.headers.first(name: "Gimbal-Freshness") == "local")
        #expect(try await world.many.send(.GET, "/things/*", headers: ["Gimbal-Read": "latest"]).status == 200)

        world.many.stop()
        let spaces = "\(world.usersFolder)/spaces"
        let database = try #require(try FileManager.default.contentsOfDirectory(atPath: spaces).first)
        try Data("not what it was".utf8).write(to: URL(fileURLWithPath: "\(spaces)/\(database)/CURRENT"))
        try await world.many.start()
        #expect(try await world.fault(of: "users") == "storage-corrupt")
        for (method, path, body) in [(HTTPMethod.GET, "/users/a", nil), (.POST, "/users/b", "1"), (.GET, "/users/*", nil)] {
            let reply = try await world.many.send(method, path, body)
            #expect(reply.status == 503)
            #expect(reply.headers.first(name: "Gimbal-Error") == "space-unavailable")
        }
        #expect(await world.many.isReady())
        try await world.many.set("other/a", "1")
        try await world.many.set("things/b", "2")
        try await eventually("things are led on") { try await node.local("things/b") == "2" }
        // The only space of a process: it does not start.
        world.many.stop()
        let alone = try Binaries.run("node", ["--data", world.usersFolder, "--pivot", world.users.pivot.url])
        #expect(alone.status == 74)
        #expect(alone.errors.contains("[storage-corrupt]"))
    }

    @Test("a pivot change of one space wipes that one and no other")
    func pivotChange() async throws {
        let world = try await World(try await usersFleet())
        let other = try await usersFleet()
        try await world.ready()
        for (path, value) in [("things/a", "1"), ("users/a", "2"), ("other/a", "3")] { try await world.many.set(path, value) }
        try await eventually("pivot A has it") { try await world.users.pivot.local("users/a") == "2" }
        let before = try await world.status(of: "things")["space"] as? String
        try await other.pivot.set("users/new", #""of B""#)
        world.many.stop()
        try world.configure(usersAt: other.pivot.url)
        try await world.many.start()
        try await eventually("it follows B") { try await world.many.local("users/new") == #""of B""# }
        #expect(try await world.many.local("users/a") == nil)
        #expect(try await world.many.local("things/a") == "1")
        #expect(try await world.many.local("other/a") == "3")
        #expect(try await world.status(of: "things")["space"] as? String == before)
        let rescues = { (folder: String) in (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/rescue")) ?? [] }
        #expect(rescues(world.usersFolder).count == 1)
        #expect(rescues(world.many.folder).isEmpty && rescues("\(world.many.folder)/space/things").isEmpty)
        let bundle = try Binaries.run("gimbal", ["verify", "\(world.usersFolder)/rescue/\(rescues(world.usersFolder)[0])"])
        #expect(bundle.status == 0)
        #expect(bundle.output.contains("users/a") && !bundle.output.contains("things/a"))
    }

    @Test("a node of a server that leads several spaces has to say which, by name or id")
    func discovery() async throws {
        let users = try await usersFleet()
        let world = try await World(users)
        try world.configure(
            usersAt: users.pivot.url, more: ("shops", #""lead": true, "sync": ["shops/*"], "openEnrollment": true"#))
        world.many.stop()
        try await world.many.start()
        let lost = try await world.nodeOfThings("lost")
        try await eventually("the node says what it lacks") {
            let fault = try await lost.status()["fault"] as? [String: Any]
            let detail = fault?["detail"] as? String ?? ""
            return fault?["code"] as? String == "space-needed" && detail.contains("things (") && detail.contains("shops (")
        }
        lost.stop()
        let shops = try await world.nodeOfThings("shops node", space: ["--space", "shops"])
        try await world.many.set("shops/a", "1")
        try await eventually("it follows what it named") { try await shops.local("shops/a") == "1" }
        shops.stop()
        try await shops.start()
        #expect(try await shops.local("shops/a") == "1")
        let id = try #require(try await world.status(of: "things")["space"] as? String)
        let things = try await world.nodeOfThings("things node", space: ["--space", id])
        try await world.many.set("things/a", "2")
        try await eventually("it follows what it named") { try await things.local("things/a") == "2" }
    }

    @Test("flags, environment and file together: what is malformed is refused, with the reason")
    func malformed() async throws {
        let folder = try await usersFleet().folder
        let file = "\(folder)/bad.json"
        for (text, reason) in [
            (#"{"spaces": ["a"], "space": {}}"#, "lead"),
            (#"{"spaces": ["a"], "space": {"a": {"lead": true, "pivot": "http://127.0.0.1:1"}}}"#, "either"),
            (#"{"spaces": ["local"], "space": {"local": {"lead": true}}}"#, "local"),
            (#"{"spaces": ["a", "a"], "space": {"a": {"lead": true}}}"#, "twice"),
            (#"{"spaces": ["a", "b"], "space": {"a": {"lead": true}, "b": {"lead": true}}}"#, "sync"),
            (
                #"{"spaces": ["a", "b"], "space": {"a": {"lead": true, "sync": ["a/*"], "data": "\#(folder)/x"}, "b": {"lead": true, "sync": ["b/*"], "data": "\#(folder)/x/"}}}"#,
                "folder"
            ),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            let refused = try Binaries.run("pivot", ["--config", file, "--data", "\(folder)/bad"])
            #expect(refused.status == 64, "\(text)")
            #expect(refused.errors.contains(reason), "\(refused.errors)")
        }
        try Data(#"{"spaces": ["a"], "sync": ["x"], "space": {"a": {"lead": true}}}"#.utf8).write(to: URL(fileURLWithPath: file))
        let beside = try Binaries.run("pivot", ["--config", file, "--data", "\(folder)/bad"])
        #expect(beside.status == 64 && beside.errors.contains("exclude"))
        let both = try Binaries.run("pivot", ["--config", file, "--data", "\(folder)/bad", "--sync", "x"])
        #expect(both.status == 64 && both.errors.contains("exclude"))
    }
}
