import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Testing

private typealias Fixture = ExportFixture

@Suite struct ExportTests {
    @Test func everythingThatLivesIsInTheBundleAndHolds() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        for number in 0..<40 { try await fixture.setPivot("things/\(number % 20)", "\(number)") }
        try await fixture.setPivot("one", "1")
        try await fixture.setPivot("two", "2")
        try await fixture.writePivot(.delete(Fixture.path("two")))
        try await fixture.writePivot(.delete(Fixture.path("things/7")))
        let (report, values) = verify(try file(fixture.pivot.export()), space: fixture.space)
        #expect(report.isValid, "\(report.findings)")
        #expect(report.checkpoint?.position == fixture.pivot.place.position)
        var expected = Dictionary(uniqueKeysWithValues: (20..<40).map { ("things/\($0 - 20)", "\($0)") })
        expected["things/7"] = nil
        expected["one"] = "1"
        expected["two"] = "deleted"
        #expect(values.filter { !$0.key.hasPrefix("_") } == expected)
    }

    @Test func aNodesBundleIsThePivotsByteForByte() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        for number in 0..<10 { try await fixture.setPivot("things/\(number)", "\(number)") }
        try await fixture.push([("things/a", "1"), ("things/b", "2")], by: fixture.nodeKey)
        try await fixture.pull()
        let bytes = try file(fixture.pivot.export())
        #expect(try file(fixture.node.export()) == bytes)
        #expect(try file(fixture.pivot.export()) == bytes)
        #expect(verify(bytes, space: fixture.space).report.isValid)
    }

    @Test func oneKeyProvesOnlyThatKey() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        try await fixture.admit(Fixture.key(9).author, name: "somebody-else")
        let values = (0..<100).map { (path: "things/\($0)", value: #""value-\#($0)-""#) }
        try await fixture.push(values, by: fixture.nodeKey)
        try await fixture.push([("things/z", #""last""#)], by: Fixture.key(9))
        let bytes = try file(fixture.pivot.export(), ["things/42"])
        let (report, proven) = verify(bytes, space: fixture.space)
        #expect(report.isValid, "\(report.findings)")
        let member = SpaceRecords.memberPath(fixture.nodeKey.author).description
        #expect(Set(proven.keys) == ["things/42", "_settings", member])
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("value-42-") && !text.contains("value-41-") && !text.contains("value-43-"))
        #expect(!text.contains("somebody-else"))
        #expect(bytes.count < 4000)
    }

    @Test func patternsThatOverlapShowAnOperationOnce() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        for number in 0..<5 { try await fixture.setPivot("things/\(number)", "1") }
        try await fixture.setPivot("thingsX", "1")
        let bytes = try file(fixture.pivot.export(), ["things/*", "things/1", "*/2", "nothing/*"])
        let (report, values) = verify(bytes, space: fixture.space)
        #expect(report.isValid)
        #expect(report.operationCount == 6)
        #expect(values.keys.filter { !$0.hasPrefix("_") }.count == 5)
        try await fixture.push([("things/x", "1"), ("things/y", "1")], by: fixture.nodeKey)
        let (_, one) = verify(try file(fixture.pivot.export(), ["things/x", "*/x"]), space: fixture.space)
        #expect(one["things/x"] != nil && one["things/y"] == nil)
        let (none, _) = verify(try file(fixture.pivot.export(), ["nothing/*"]), space: fixture.space)
        #expect(none.isValid && none.operationCount == 1)
    }

    @Test func refusedOperationsStayHidden() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        let head = try await fixture.push(
            [("things/1", "1"), ("forbidden/1", #""hidden""#), ("things/2", "2"), ("things/3", "3")], by: fixture.nodeKey)
        try await fixture.push([("things/3", "33")], by: fixture.nodeKey, after: head)
        for patterns in [["**"], ["things/1"], ["things/2"], ["things/3"], ["things/1", "things/2"]] {
            let bytes = try file(fixture.pivot.export(), patterns)
            let (report, values) = verify(bytes, space: fixture.space)
            #expect(report.isValid, "\(patterns): \(report.findings)")
            #expect(values["forbidden/1"] == nil)
            #expect(values["things/3"] ?? "33" == "33")
        }
    }

    @Test func whatAMemberWroteBeforeItWasRevokedHolds() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        let head = try await fixture.push([("things/1", "1")], by: fixture.nodeKey)
        try await fixture.admit(fixture.nodeKey.author, name: "node", writes: ["other/*"])
        try await fixture.push([("other/1", "2")], by: fixture.nodeKey, after: head)
        try await fixture.admit(fixture.nodeKey.author, name: "node", writes: [], revoked: true)
        let (report, values) = verify(try file(fixture.pivot.export()), space: fixture.space)
        #expect(report.isValid, "\(report.findings)")
        #expect(values["things/1"] == "1" && values["other/1"] == "2")
    }

    @Test func aRescueHoldsTheOutboxAndEveryRecord() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        try await fixture.admit(Fixture.key(9).author, name: "somebody-else")
        try await fixture.setPivot("things/1", "1")
        try await fixture.pull()
        #expect(fixture.node.isReady)
        try await fixture.setNode("things/2", "2")
        try await fixture.setNode("one", "3")
        try await fixture.node.sealOutbox()
        #expect(fixture.node.outboxCount == 2)
        let plain = verify(try file(fixture.node.export()), space: fixture.space)
        #expect(plain.report.isValid && plain.values["one"] == nil)
        let (report, values) = verify(try file(fixture.node.export(), includingOutbox: true), space: fixture.space)
        #expect(report.isValid, "\(report.findings)")
        #expect(report.findings.isEmpty)
        #expect(report.unplacedCount == 2)
        #expect(values["things/1"] == "1" && values["things/2"] == "2" && values["one"] == "3")
        #expect(values[SpaceRecords.memberPath(Fixture.key(9).author).description] != nil)
    }

    @Test func anExportIsOfOneMoment() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        try await fixture.setPivot("things/1", "1")
        let export = try fixture.pivot.export()
        let position = fixture.pivot.place.position
        try await fixture.setPivot("things/1", "2")
        try await fixture.setPivot("things/2", "2")
        let (report, values) = verify(try file(export), space: fixture.space)
        #expect(report.isValid)
        #expect(report.checkpoint?.position == position)
        #expect(values["things/1"] == "1" && values["things/2"] == nil)
    }

    @Test func aPivotThatStartedAgainIsTheSameAuthor() async throws {
        let fixture = try await ExportFixture()
        let engine = fixture.pivotEngine
        try await fixture.setPivot("things/1", "1")
        let restarted = try PivotSpace(
            space: fixture.space, engine: engine, signer: fixture.pivotKey, certificate: fixture.certificate)
        let changed = MemberRecord(name: "node", writes: [Fixture.pattern("other/*")])
        _ = try await restarted.write(.record(SpaceRecords.memberPath(fixture.nodeKey.author), value: changed.json)).get()
        _ = try await restarted.write(.set(Fixture.path("things/2"), value: Array("2".utf8))).get()
        let (report, values) = verify(try file(restarted.export()), space: fixture.space)
        #expect(report.isValid, "\(report.findings)")
        #expect(values["things/1"] == "1" && values["things/2"] == "2")
        fixture.close()
    }

    @Test func aBundleComesInChunksAndASinkMayFail() async throws {
        struct Full: Error {}
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        for number in 0..<20 { try await fixture.setPivot("things/\(number)", "\"\(String(repeating: "x", count: 20_000))\"") }
        let export = try #require(try fixture.pivot.export())
        var sizes: [Int] = []
        try export.write([Fixture.pattern("**")]) { sizes.append($0.count) }
        #expect(sizes.count > 4 && sizes.allSatisfy { $0 < 100_000 })
        #expect(throws: Full.self) { try export.write([Fixture.pattern("**")]) { _ in throw Full() } }
    }

    @Test func nothingIsExportedOfAnEmptySpaceAndDamageIsSaid() async throws {
        let fixture = try await ExportFixture()
        let empty = try PivotSpace(
            space: fixture.space, engine: MemoryEngine(), signer: fixture.pivotKey, certificate: fixture.certificate)
        #expect(try empty.export() == nil)
        empty.close()
        try await fixture.pull()
        var forgetting = StorageBatch()
        forgetting.delete(Array("certificate".utf8), in: .metadata)
        try fixture.nodeEngine.commit(forgetting)
        #expect(throws: StoreError.self) { try fixture.node.export() }
        try await fixture.setPivot("things/1", "1")
        var batch = StorageBatch()
        batch.delete([0, 0, 0, 0, 0, 0, 0, 2], in: .log)
        try fixture.pivotEngine.commit(batch)
        #expect(throws: StoreError.self) { try file(fixture.pivot.export()) }
        fixture.close()
    }

    @Test func aLiveWriteThatTheLogLacksIsDamage() async throws {
        let fixture = try await ExportFixture()
        defer { fixture.close() }
        try await fixture.setPivot("things/1", "1")
        var writer = CBORWriter()
        writer.array(count: 1)
        writer.array(count: 7)
        writer.byteString(fixture.nodeKey.author)
        for number in [5, 1, 1, 1] as [UInt64] { writer.unsigned(number) }
        writer.byteString(Digest.zero)
        writer.text("1")
        var batch = StorageBatch()
        batch.put(writer.bytes, at: Array("things/2".utf8), in: .state)
        try fixture.pivotEngine.commit(batch)
        #expect(throws: Never.self) { try file(fixture.pivot.export(), ["things/1"]) }
        #expect(throws: StoreError.self) { try file(fixture.pivot.export(), ["things/2"]) }
    }
}
