import Foundation
import NIOHTTP1
import Testing

/// The operator's tool where something is not as it should be: nothing that went wrong looks like success.
@Suite(.serialized, .cleansUp)
struct ToolFaultTests {
    @Test("a command that does nothing by itself does not end with success")
    func noSubcommand() throws {
        for arguments in [[], ["member"]] {
            let run = try Binaries.run("gimbal", arguments)
            #expect(run.status == 64 && run.output.isEmpty && run.errors.contains("SUBCOMMANDS"), "\(arguments): \(run)")
        }
        #expect(try Binaries.run("gimbal", ["--help"]).status == 0)
    }

    @Test("without /proc no program takes its arguments for none", arguments: ["gimbal", "pivot", "node"])
    func withoutProc(_ program: String) throws {
        let file = try Binaries.url(program).path
        // An empty folder in place of /proc, for this one process and its children.
        let hidden = ["--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\""]
        guard try Self.run("/usr/bin/unshare", hidden + ["/bin/true"]).status == 0 else {
            print("NOTE: /proc cannot be hidden on this machine: \(program) without it was not tried")
            return
        }
        for arguments in [["verify", "/no-such-file"], ["--version"], []] {
            let run = try Self.run("/usr/bin/unshare", hidden + [file] + arguments)
            #expect(run.status != 0 && run.status < 128 && run.errors.contains("error [no-arguments]: "), "\(arguments): \(run)")
        }
    }

    private static func run(_ file: String, _ arguments: [String]) throws -> (status: Int32, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: file)
        process.arguments = arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        guard FileManager.default.isExecutableFile(atPath: file) else { return (-1, "") }
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test("what is no bundle is called that, by import and verify, at the tool and at the server")
    func foreign() async throws {
        let fleet = try await Fleet(nodes: 0)
        let files = [
            ("list", #"[{"created":1,"updated":0,"index":"a","path":"things/a","data":1}]"#, "looks like JSON"),
            ("word", "null", "looks like JSON"), ("empty", "", "it is empty"), ("text", "hello, world", "does not begin"),
        ]
        for (name, content, words) in files {
            let file = "\(fleet.folder)/\(name)"
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
            try await isRefused(file, words, fleet)
            let direct = try await fleet.pivot.send(.POST, "/_gimbal/import", content)
            #expect(direct.status == 400 && direct.headers.first(name: "Gimbal-Error") == "not-a-bundle", "\(name)")
            #expect(direct.body.contains(words))
        }
        let folder = "\(fleet.folder)/leveldb"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try await isRefused(folder, "is a folder", fleet)
        try Data("MANIFEST-000001\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/CURRENT"))
        try await isRefused(folder, "database's folder", fleet)
    }

    private func isRefused(_ file: String, _ words: String, _ fleet: Fleet) async throws {
        for arguments in [["import", fleet.pivot.url, file], ["import", "--as-new", fleet.pivot.url, file], ["verify", file]] {
            let run = try Binaries.run("gimbal", arguments)
            #expect(run.status != 0 && run.errors.hasPrefix("error [not-a-bundle]: "), "\(arguments): \(run)")
            #expect(run.errors.contains(words), "\(run.errors)")
        }
    }

    @Test("a pivot that was put back from a copy takes what it signed itself from a bundle, and goes on")
    func ownDeltas() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.pivot.set("things/before", "1")
        try await fleet.settles()
        fleet.pivot.stop()
        let copy = "\(fleet.folder)/copy"
        try FileManager.default.copyItem(atPath: fleet.pivot.folder, toPath: copy)
        try await fleet.pivot.start()
        try await fleet.pivot.set("things/pivots", "2")
        try await fleet.nodes[0].set("things/nodes", "3")
        try await fleet.settles()
        let bundle = "\(fleet.folder)/all.bundle"
        #expect(try Binaries.run("gimbal", ["export", fleet.nodes[0].url, "--output", bundle]).status == 0)
        fleet.pivot.stop()
        fleet.nodes[0].stop()
        try FileManager.default.removeItem(atPath: fleet.pivot.folder)
        try FileManager.default.moveItem(atPath: copy, toPath: fleet.pivot.folder)
        try await fleet.pivot.start()
        try await fleet.pivot.set("things/after", "4")
        #expect(try await fleet.pivot.local("things/pivots") == nil)

        let run = try Binaries.run("gimbal", ["import", fleet.pivot.url, bundle])
        #expect(run.status == 0 && !run.output.contains("refused"), "\(run)")
        for (path, value) in [("before", "1"), ("pivots", "2"), ("nodes", "3"), ("after", "4")] {
            #expect(try await fleet.pivot.local("things/\(path)") == value, "\(path)")
        }
        // Its own writes and the imported ones are one log.
        try await fleet.pivot.set("things/after", "5")
        let again = try Binaries.run("gimbal", ["import", fleet.pivot.url, bundle])
        #expect(again.status == 0 && again.output.hasPrefix("0 deltas accepted,"), "\(again)")
        #expect(try Binaries.run("gimbal", ["export", fleet.pivot.url, "--output", bundle]).status == 0)
        #expect(try Binaries.run("gimbal", ["verify", bundle]).status == 0)
    }

    @Test("a member is renamed without other grants, named by its name or the start of its key, and keeps its name when it goes")
    func members() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = fleet.pivot.folder
        let (key, other) = (String(repeating: "95a4", count: 16), String(repeating: "95a3", count: 16))
        func member(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
            try Binaries.run("gimbal", ["member", arguments[0], folder] + arguments.dropFirst())
        }
        func isListed(_ line: String) throws -> Bool { try member("list").output.split(separator: "\n").contains { $0 == line } }
        #expect(try member("allow", key, "stock/*", "orders/*").status == 0)
        #expect(try isListed("\(key) 95a495a4 writes stock/* orders/*"))
        #expect(try member("allow", key, "--name", "van-7").status == 0)
        #expect(try isListed("\(key) van-7 writes stock/* orders/*"))
        #expect(try member("allow", "95a495", "things/*").status == 0)
        #expect(try isListed("\(key) van-7 writes things/*"))
        #expect(try member("allow", other, "--name", "new").status == 0)
        #expect(try isListed("\(other) new writes **"))
        #expect(try member("allow", "95a", "--name", "x").errors.hasPrefix("error [no-such-member]: "), "too short to mean one")
        #expect(try member("revoke", "95a4").status == 0)
        #expect(try isListed("\(key) van-7 revoked"))
        #expect(try member("revoke", "nobody").errors.hasPrefix("error [no-such-member]: "))
        #expect(try member("allow", "van-7", "--name", "van-8").errors.hasPrefix("error [patterns-needed]: "))
        #expect(try member("allow", "van-7", "things/1").status == 0)
        #expect(try isListed("\(key) van-7 writes things/1"))
        #expect(try member("allow", "van-7", "--name", "new").status == 0)
        #expect(try member("revoke", "new").errors.hasPrefix("error [ambiguous-member]: "))
        #expect(try member("allow", key, "a//b").errors.hasPrefix("error [bad-member]: "))
    }

    @Test("an export that cannot be made is an error, and one that is cut on the way is none that came")
    func exports() async throws {
        let fleet = try await Fleet(nodes: 0)
        let homeless = Server("pivot", name: "homeless", folder: "\(fleet.folder)/homeless", arguments: [])
        try await homeless.start()
        try await homeless.set("settings", "1")
        // Temporary files lie in the data folder. Where their folder is none, nobody can make one, root neither.
        try FileManager.default.removeItem(atPath: "\(homeless.folder)/tmp")
        try Data().write(to: URL(fileURLWithPath: "\(homeless.folder)/tmp"))
        let reply = try await homeless.send(.GET, "/_gimbal/export")
        #expect(reply.status == 500 && reply.headers.first(name: "Gimbal-Error") == "temporary-failed", "\(reply)")
        #expect(reply.body.contains("Not a directory"))
        let output = "\(fleet.folder)/out.bundle"
        let failed = try Binaries.run("gimbal", ["export", homeless.url, "--output", output])
        #expect(failed.status == 1 && failed.errors.hasPrefix("error [temporary-failed]: "), "\(failed)")

        let text = String((0..<1_000_000).map { _ in "abcdefghijklmnop".randomElement() ?? "a" })
        for number in 0..<8 { try await fleet.pivot.set("things/\(number)", "\"\(text)\"") }
        let port = UInt16(fleet.pivot.port)
        let relay = try TCPListener { listener, client in
            listener.relay(client, to: port, onAnswer: { _ in listener.cut() })
        }
        let cut = try Binaries.run("gimbal", ["export", "http://127.0.0.1:\(relay.port)", "--output", output])
        #expect(cut.status != 0 && cut.errors.hasPrefix("error ["), "\(cut)")
        #expect(!FileManager.default.fileExists(atPath: output) && !FileManager.default.fileExists(atPath: output + ".new"))
    }
}
