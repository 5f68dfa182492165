import Foundation
import NIOHTTP1
import Testing

/// Small files of a data folder that are missing, unreadable, older or another's: nothing is lost, and nothing stands still
/// without a word.
@Suite(.serialized, .cleansUp)
struct FolderTests {
    private let manager = FileManager.default

    private func databases(_ server: Server) throws -> [String] {
        try manager.contentsOfDirectory(atPath: "\(server.folder)/spaces").filter { $0 != "local" }.sorted()
    }

    private func fault(_ server: Server) async throws -> String? {
        (try await server.status()["fault"] as? [String: Any])?["code"] as? String
    }

    /// Starts what must end with a code.
    private func refused(_ server: Server, _ program: String, _ code: String, _ more: [String] = []) throws {
        let run = try Binaries.run(program, ["--data", server.folder] + more)
        #expect(run.status == 74, "\(code): \(run.status) \(run.errors)")
        #expect(run.errors.contains("error [\(code)]: "), "\(code): \(run.errors)")
    }

    /// A fleet of a pivot that is away and a stopped node with a write that was never sent.
    private func withUnsentWrite() async throws -> (fleet: Fleet, node: Server) {
        let fleet = try await Fleet(nodes: 1)
        let node = fleet.nodes[0]
        try await node.set("things/sent", "1")
        try await fleet.settles()
        fleet.pivot.stop()
        try await node.set("things/unsent", "2")
        node.stop()
        return (fleet, node)
    }

    @Test("found C1: without replication.json the copy that is there is followed, unsent writes and all")
    func linkMissing() async throws {
        let (fleet, node) = try await withUnsentWrite()
        let before = try databases(node)
        try manager.removeItem(atPath: "\(node.folder)/replication.json")
        try await node.start()
        #expect(try databases(node) == before)
        #expect(try await node.local("things/unsent") == "2")
        #expect(try node.log().contains("replication.json was not of the copy that is here"))
        try await fleet.pivot.start()
        try await eventually("it arrives") { try await fleet.pivot.local("things/unsent") == "2" }
        #expect(try databases(node) == before)
    }

    @Test("found C1: an older replication.json, which names another database, deletes nothing")
    func linkOlder() async throws {
        let (fleet, node) = try await withUnsentWrite()
        let before = try databases(node)
        let space = String(repeating: "ab", count: 32)
        let older = #"{"folder": "0011223344556677-1", "pivotURL": "http://127.0.0.1:1", "space": "\#(space)"}"#
        try Data(older.utf8).write(to: URL(fileURLWithPath: "\(node.folder)/replication.json"))
        try await node.start()
        #expect(try databases(node) == before)
        #expect(try await node.local("things/unsent") == "2")
        try await fleet.pivot.start()
        try await eventually("it arrives") { try await fleet.pivot.local("things/unsent") == "2" }
    }

    @Test("found C1: which of several copies is meant is not guessed; one beside the followed one is left alone")
    func severalCopies() async throws {
        let (fleet, node) = try await withUnsentWrite()
        let copy = try #require(try databases(node).first)
        let spaces = "\(node.folder)/spaces"
        try manager.copyItem(atPath: "\(spaces)/\(copy)", toPath: "\(spaces)/\(copy)0")
        try await node.start()
        #expect(try databases(node) == [copy, "\(copy)0"])
        #expect(try node.log().contains("a copy that is not followed is left alone"))
        node.stop()
        try manager.removeItem(atPath: "\(node.folder)/replication.json")
        try refused(node, "node", "data-ambiguous", ["--pivot", fleet.pivot.url])
        #expect(try databases(node) == [copy, "\(copy)0"])
    }

    @Test("found C1: a small file that cannot be read is no file that is missing")
    func unreadable() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("things/a", "1")
        try await fleet.settles()
        for server in fleet.everyone { server.stop() }
        let rows: [(Server, String, String)] = [
            (fleet.nodes[0], "replication.json", "data-unreadable"), (fleet.nodes[0], "format", "data-unreadable"),
            (fleet.nodes[0], "keys/node.key", "key-unreadable"), (fleet.pivot, "led.certificate", "data-unreadable"),
            (fleet.pivot, "keys/led-pivot.key", "key-unreadable"), (fleet.pivot, "format", "data-unreadable"),
        ]
        for (server, name, code) in rows {
            let file = "\(server.folder)/\(name)"
            let held = try databases(server)
            // What root cannot read either: a folder, or a link that leads to itself.
            for isLoop in [true, false] {
                try manager.moveItem(atPath: file, toPath: "\(fleet.folder)/aside")
                if isLoop {
                    try manager.createSymbolicLink(atPath: file, withDestinationPath: file)
                } else {
                    try manager.createDirectory(atPath: file, withIntermediateDirectories: false)
                }
                let more = server === fleet.pivot ? [] : ["--pivot", fleet.pivot.url]
                try refused(server, server === fleet.pivot ? "pivot" : "node", code, more)
                #expect(try databases(server) == held)
                try manager.removeItem(atPath: file)
                try manager.moveItem(atPath: "\(fleet.folder)/aside", toPath: file)
            }
        }
        for server in fleet.everyone { try await server.start() }
        for server in fleet.everyone { #expect(try await server.local("things/a") == "1") }
    }

    @Test("found C2: a node without its key refuses; with another key, what waits is delivered under that one")
    func keyMissing() async throws {
        let (fleet, node) = try await withUnsentWrite()
        let old = try Binaries.run("gimbal", ["key", node.folder]).output
        try manager.removeItem(atPath: "\(node.folder)/keys/node.key")
        try refused(node, "node", "key-missing", ["--pivot", fleet.pivot.url])
        #expect(try Binaries.run("gimbal", ["key", node.folder]).errors.hasPrefix("error [key-missing]: "))
        let new = try Binaries.run("gimbal", ["key", "--create", node.folder])
        #expect(new.status == 0 && new.output.count == 65 && new.output != old, "\(new.errors)")
        try await node.start()
        #expect(try await node.local("things/unsent") == "2")
        #expect(try await node.status()["outbox"] as? Int == 1)
        // As if it were killed before the pivot is there.
        node.kill()
        try await node.start()
        try await fleet.pivot.start()
        try await eventually("what waited arrives") { try await fleet.pivot.local("things/unsent") == "2" }
        try await eventually("the node may write") {
            try await node.set("things/under-new-key", "3")
            return true
        }
        try await fleet.settles()
        for server in fleet.everyone {
            #expect(try await server.local("things/sent") == "1")
            #expect(try await server.local("things/under-new-key") == "3")
        }
        #expect(try await fault(node) == nil)
        #expect(try await node.status()["author"] as? String == new.output.trimmingCharacters(in: .newlines))
    }

    @Test("found C2: the pivot took what was sent, its answer was lost, and then the key was: nothing is written twice")
    func keyMissingAfterPush() async throws {
        let fleet = try await Fleet(nodes: 1)
        let node = fleet.nodes[0]
        for number in 0..<20 { try await node.set("things/\(number)", "\(number)") }
        fleet.pivot.pause()
        try await node.set("things/0", "100")
        try await node.set("settings", "200")
        try await Task.sleep(for: .milliseconds(300))
        node.kill()
        fleet.pivot.resume()
        try manager.removeItem(atPath: "\(node.folder)/keys/node.key")
        #expect(try Binaries.run("gimbal", ["key", "--create", node.folder]).status == 0)
        try await node.start()
        try await fleet.settles()
        for server in fleet.everyone {
            #expect(try await server.local("things/0") == "100")
            #expect(try await server.local("settings") == "200")
            let siblings = try await server.send(.GET, "/things/0?siblings=1").body
            #expect(siblings.matches(of: /"stamp":/).count <= 1, "\(siblings)")
        }
    }

    @Test("a pivot without its key, or without its certificate while the root key is elsewhere, refuses and writes nothing")
    func pivotFilesMissing() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("things/a", "1")
        let space = try await fleet.pivot.status()["space"] as? String
        fleet.pivot.stop()
        let (key, root) = ("\(fleet.pivot.folder)/keys/led-pivot.key", "\(fleet.pivot.folder)/keys/led-root.key")
        let certificate = "\(fleet.pivot.folder)/led.certificate"
        let aside = { (file: String) in "\(fleet.folder)/\((file as NSString).lastPathComponent)" }
        func without(_ files: [String], _ body: () throws -> Void) throws {
            for file in files { try manager.moveItem(atPath: file, toPath: aside(file)) }
            try body()
            for file in files {
                #expect(!manager.fileExists(atPath: file), "\(file) was written")
                try? manager.removeItem(atPath: file)
                try manager.moveItem(atPath: aside(file), toPath: file)
            }
        }
        try without([key]) { try refused(fleet.pivot, "pivot", "key-missing") }
        try without([certificate, root]) { try refused(fleet.pivot, "pivot", "certificate-missing") }
        try without([certificate, key]) { try refused(fleet.pivot, "pivot", "certificate-missing") }
        try without([root]) {}
        // With both keys the certificate is made again.
        try manager.removeItem(atPath: certificate)
        try await fleet.pivot.start()
        #expect(try await fleet.pivot.status()["space"] as? String == space)
        #expect(try await fleet.pivot.local("things/a") == "1")
    }

    @Test("found C17: a pivot whose database is gone starts empty and says so until somebody has seen to it")
    func databaseGone() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("things/a", "1")
        #expect(try await fault(fleet.pivot) == nil)
        fleet.pivot.stop()
        try manager.removeItem(atPath: "\(fleet.pivot.folder)/spaces/led")
        for _ in 0..<2 {
            try await fleet.pivot.start()
            #expect(try await fault(fleet.pivot) == "log-lost")
            #expect(try fleet.pivot.log().contains("the database of a space was not there"))
            #expect(try await fleet.pivot.local("things/a") == nil)
            fleet.pivot.stop()
        }
        try manager.removeItem(atPath: "\(fleet.pivot.folder)/led.lost")
        try await fleet.pivot.start()
        #expect(try await fault(fleet.pivot) == nil)
    }

    @Test("a folder without its format is refused as long as there is data in it")
    func formatMissing() async throws {
        let (fleet, node) = try await withUnsentWrite()
        let before = try databases(node)
        for server in fleet.everyone {
            let format = "\(server.folder)/format"
            try manager.removeItem(atPath: format)
            let more = server === node ? ["--pivot", fleet.pivot.url] : []
            try refused(server, server === node ? "node" : "pivot", "data-format-missing", more)
            try Data("gimbal data 1\n".utf8).write(to: URL(fileURLWithPath: format))
        }
        #expect(try databases(node) == before)
        try await node.start()
        #expect(try await node.local("things/unsent") == "2")
    }

    // MARK: Others on the machine

    @Test("trust 37: a folder that others may write is refused, one that they may read warned of; files are their owner's alone")
    func modes() async throws {
        let fleet = try await Fleet(nodes: 0)
        let mode = { (path: String) in try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0 }
        fleet.pivot.stop()
        for folder in [fleet.pivot.folder, "\(fleet.pivot.folder)/keys"] {
            try manager.setAttributes([.posixPermissions: 0o770], ofItemAtPath: folder)
            try refused(fleet.pivot, "pivot", "data-exposed")
            try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
        }
        try await fleet.pivot.start()
        #expect(try fleet.pivot.log().contains("others may look into the data folder"))
        try await eventually("the operator's door is there") {
            manager.fileExists(atPath: "\(fleet.pivot.folder)/operator.sock")
        }
        for name in try manager.subpathsOfDirectory(atPath: fleet.pivot.folder) where name != "keys" {
            #expect(try mode("\(fleet.pivot.folder)/\(name)") & 0o077 == 0, "\(name)")
        }
        let bundle = "\(fleet.folder)/all.bundle"
        try await fleet.pivot.set("things/a", "1")
        #expect(try Binaries.run("gimbal", ["export", fleet.pivot.folder, "--output", bundle]).status == 0)
        #expect(try mode(bundle) == 0o600)
    }

    @Test("found row p: gimbal key makes a folder only when it is told to")
    func typo() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = "\(fleet.folder)/typo"
        let run = try Binaries.run("gimbal", ["key", folder])
        #expect(run.status != 0 && run.errors.hasPrefix("error [key-missing]: "), "\(run.errors)")
        #expect(!manager.fileExists(atPath: folder))
        let key = try Binaries.run("gimbal", ["key", "--create", folder]).output
        #expect(key.count == 65)
        #expect(try Binaries.run("gimbal", ["key", folder]).output == key)
    }

    @Test("found C17: what an export or import that was killed left behind is gone after the next start, and never was in /tmp")
    func leftovers() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("things/a", "1")
        let bundle = "\(fleet.folder)/all.bundle"
        #expect(try Binaries.run("gimbal", ["export", fleet.pivot.folder, "--output", bundle]).status == 0)
        let imported = try Binaries.run("gimbal", ["import", fleet.pivot.folder, bundle])
        #expect(imported.status == 0, "\(imported.errors)")
        #expect(try manager.contentsOfDirectory(atPath: "\(fleet.pivot.folder)/tmp").isEmpty)
        fleet.pivot.kill()
        for name in ["tmp/left", "led.certificate.new", "rescue/left.bundle.new", "keys/led-root.key.new"] {
            try Data("half".utf8).write(to: URL(fileURLWithPath: "\(fleet.pivot.folder)/\(name)"))
        }
        try await fleet.pivot.start()
        for name in ["tmp/left", "led.certificate.new", "rescue/left.bundle.new", "keys/led-root.key.new"] {
            #expect(!manager.fileExists(atPath: "\(fleet.pivot.folder)/\(name)"), "\(name)")
        }
    }
}
