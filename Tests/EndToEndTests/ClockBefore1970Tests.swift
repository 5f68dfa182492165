import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Testing

/// A clock without a battery that reads midnight of 1970 in local time, east of Greenwich.
@Suite(.cleansUp)
struct ClockBefore1970Tests {
    private static let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

    /// Given by a second `env`: the library loses the arguments of the program whose environment names it first.
    @Test(
        "a server starts and works, and after its clock was set as well",
        .enabled(if: FileManager.default.fileExists(atPath: library), "Debian's package faketime is needed"))
    func before1970() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = "\(fleet.folder)/early"
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["LD_PRELOAD=\(Self.library)", "FAKETIME=@1969-12-31 22:00:00", "FAKETIME_DONT_FAKE_MONOTONIC=1", "/usr/bin/env"]
            + [try Binaries.url("pivot").path, "--listen", "127.0.0.1:0", "--data", folder]
        process.standardOutput = output
        try process.run()
        defer { process.terminate() }
        var line = ""
        while !line.contains("\n") {
            let bytes = output.fileHandleForReading.availableData
            try #require(!bytes.isEmpty, "it ended")
            line += String(decoding: bytes, as: UTF8.self)
        }
        let address = try #require(line.split(separator: "\n").first?.split(separator: " ").last)
        var request = HTTPClientRequest(url: "http://\(address)/things/1")
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: "1"))
        #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status == .ok)
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)

        let later = Server("pivot", name: "later", folder: folder, arguments: [])
        try await later.start()
        #expect(try await later.local("things/1") == "1")
        try await later.set("things/1", "2")
        #expect(try await later.local("things/1") == "2")
    }
}
