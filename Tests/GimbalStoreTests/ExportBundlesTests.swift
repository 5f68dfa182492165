import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Laws
import Testing

private let environment = ProcessInfo.processInfo.environment

/// Writes bundles of drawn histories, whole ones and damaged ones, each beside what this side says of it, for
/// Tests/Interop/check_bundles.py.
@Suite struct ExportBundlesTests {
    private static let paths = ["things/1", "things/2", "things/3", "one", "two", "deep/er/path"]

    @Test(.enabled(if: environment["GIMBAL_BUNDLES"] != nil, "GIMBAL_BUNDLES names a folder"))
    func bundlesOfDrawnHistories() async throws {
        let folder = try #require(environment["GIMBAL_BUNDLES"])
        let histories = environment["GIMBAL_BUNDLES_HISTORIES"].flatMap { Int($0) } ?? 400
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var count = 0
        for seed in 0..<histories {
            var random = SeededRandom(seed: UInt64(seed))
            for bundle in try await bundles(&random) {
                count += 1
                let name = "\(folder)/\(String(repeating: "0", count: max(0, 5 - "\(count)".count)))\(count)"
                try Data(bundle).write(to: URL(fileURLWithPath: name + ".bundle"))
                try Data(Self.statement(of: bundle).write()).write(to: URL(fileURLWithPath: name + ".json"))
            }
        }
        print("\(count) bundles of \(histories) histories")
    }

    /// What the pivot exports of a history, and the node with its outbox; and either with one bit flipped, or cut.
    private func bundles(_ random: inout SeededRandom) async throws -> [[UInt8]] {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        try await live(fixture, &random)
        let patterns = [["**"], ["things/*"], ["one", "deep/**"]].randomElement(using: &random) ?? []
        let whole = [
            try file(fixture.pivot.export(), patterns), try file(fixture.node.export(), ["**"], includingOutbox: true),
        ]
        var damaged: [[UInt8]] = []
        for bundle in whole {
            for _ in 0..<2 {
                var flipped = bundle
                flipped[Int.random(in: 0..<bundle.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                damaged.append(flipped)
            }
            damaged.append(Array(bundle.prefix(Int.random(in: 0..<bundle.count, using: &random))))
        }
        return whole + damaged
    }

    /// Writes and deletions on both sides, a stranger's pushes, grants that change; the node's last writes stay in its outbox.
    private func live(_ fixture: ExportFixture, _ random: inout SeededRandom) async throws {
        let guest = ExportFixture.key(9)
        var head = Head.none
        for number in 0..<Int.random(in: 0..<24, using: &random) {
            let path = Self.paths.randomElement(using: &random) ?? "one"
            switch Int.random(in: 0..<8, using: &random) {
            case 0: _ = await fixture.pivot.write(.delete(ExportFixture.path(path)))
            case 1:
                let writes = Bool.random(using: &random) ? ["**"] : ["things/1"]
                try await fixture.admit(guest.author, name: "guest", writes: writes)
            case 2 where head != .none || number > 3:
                try await fixture.admit(guest.author, name: "guest", writes: ["things/*"])
                head = try await fixture.push([("things/1", "\(number)"), ("things/9", "\"ü\"")], by: guest, after: head)
            case 3: try await fixture.pull()
            default: try await fixture.setPivot(path, #"{"n":\#(number)}"#)
            }
        }
        try await fixture.pull()
        for number in 0..<Int.random(in: 0..<6, using: &random) {
            if Bool.random(using: &random) {
                try await fixture.setNode("things/\(number % 3)", "\(number)")
            } else {
                _ = await fixture.node.write(.delete(ExportFixture.path("things/1")))
            }
        }
        try await fixture.node.sealOutbox()
    }

    // MARK: What this side says

    static func statement(of bundle: [UInt8]) -> JSONValue {
        var operations: [JSONValue] = []
        var states: [Path: PathState] = [:]
        var rest = bundle[...]
        let report = BundleVerifier.verify(expectedSpace: nil) {
            defer { rest = rest.dropFirst(1000) }
            return rest.isEmpty ? nil : Array(rest.prefix(1000))
        } visit: { operation in
            operations.append(record(operation))
            states[operation.path] = PathState.applying(operation.effect, to: states[operation.path])
        }
        let findings = report.findings.map { ($0.code, $0.severity.rawValue) }.sorted { $0 < $1 }
        return .object([
            ("valid", .bool(report.isValid)),
            ("findings", .array(findings.map { .object([("code", .string($0.0)), ("severity", .string($0.1))]) })),
            ("operations", .array(operations)),
            (JSONString("state"), state(states)),
        ])
    }

    private static func record(_ operation: ProvenOperation) -> JSONValue {
        let kind =
            switch operation.effect {
            case .write(let write): write.value == nil ? "clear" : "assign"
            case .put: "put"
            case .remove: "remove"
            }
        return .object([
            ("path", .string(operation.path.description)), ("kind", .string(kind)),
            ("author", .string(operation.dot.replica.author.hex)),
            ("incarnation", .string("\(operation.dot.replica.incarnation)")), ("sequence", .string("\(operation.dot.sequence)")),
            ("stamp", .string("\(operation.stamp.rawValue)")),
            ("position", operation.position.map { .string("\($0)") } ?? .null), (JSONString("value"), value(operation.value)),
        ])
    }

    private static func state(_ states: [Path: PathState]) -> JSONValue {
        var digest = StateDigest()
        var (registers, members): ([JSONValue], [JSONValue]) = ([], [])
        for (path, state) in states.sorted(by: { $0.key < $1.key }) {
            digest.replace([], with: state.writes, on: path, SodiumPrimitives())
            let writes = state.writes.map(fields)
            if path.isRegister {
                registers += writes.map { .array([.string(path.description)] + $0) }
            } else if !writes.isEmpty {
                members.append(.array([.string(path.description), .array(writes.map { .array($0) })]))
            }
        }
        return .object([
            ("registers", .array(registers)), ("members", .array(members)),
            ("digest", .string(digest.value(SodiumPrimitives()).hex)),
        ])
    }

    private static func fields(_ write: Write) -> [JSONValue] {
        [
            .string(write.dot.replica.author.hex), .string("\(write.dot.replica.incarnation)"), .string("\(write.dot.sequence)"),
            .string("\(write.stamp.rawValue)"), value(write.value),
        ]
    }

    private static func value(_ bytes: [UInt8]?) -> JSONValue { bytes.map { .string(Hex.encode($0)) } ?? .null }
}
