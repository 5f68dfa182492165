import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// Times and places that a pivot signed and that no honest one would: a node shows them and keeps its clock.
struct HostileNumberTests {
    private static let allowance = SpaceSettings.hardMaximumClockAheadMilliseconds

    private func spaceWithNews() throws -> (SmallSpace, NodePage) {
        var space = try SmallSpace()
        // Time went on: the next cap comes from it, and not from the cap before.
        space.now = Now(wallMilliseconds: space.now.wallMilliseconds + 1000, steadyMilliseconds: 1000)
        let delta = try space.delta([(1, "settings", .assign(value: Array("1".utf8), created: .zero))], incarnation: 99)
        #expect(try space.push(delta).verdict == .accepted)
        return (space, try #require(try space.page()))
    }

    /// The node shows a bad page, and can write as before.
    private func expectRefused(_ page: NodePage, by space: SmallSpace, _ comment: Comment) throws {
        var space = space
        let before = space.node.core
        try space.stepNode(.page(page))
        #expect(space.node.faults == ["bad-page"], comment)
        #expect(space.node.core.cursor == before.cursor && space.node.core.record.clock == before.record.clock, comment)
        try space.writeAtNode("things/1", "1")
        #expect(space.node.everythingPending.count == 1, comment)
    }

    @Test("a cap beyond what the checkpoint's time allows is no pivot's")
    func caps() throws {
        let (space, page) = try spaceWithNews()
        for cap in [page.entries[0].cap.successor, HybridTimestamp(milliseconds: 1 << 42), .greatest] {
            var changed = page
            changed.entries[0].cap = cap
            try expectRefused(changed, by: space, "cap \(cap)")
            #expect(try detail(changed, space).contains("a cap"), "cap \(cap)")
        }
        try expectRefused(space.changing(page) { $0.pivotMilliseconds -= 1 }, by: space, "a checkpoint before its caps")
        var accepting = space
        try accepting.stepNode(.page(page))
        #expect(accepting.node.faults.isEmpty && accepting.node.core.cursor == space.pivot.core.place)
    }

    private func detail(_ page: NodePage, _ space: SmallSpace) throws -> String {
        var space = space
        try space.stepNode(.page(page))
        return space.node.core.fault?.detail ?? ""
    }

    @Test("a checkpoint's times are within what a pivot's clock can say, however wrong it is")
    func checkpoints() throws {
        let (space, page) = try spaceWithNews()
        let latest = Now.latestWallMilliseconds + UInt64(Self.allowance)
        try expectRefused(space.changing(page) { $0.pivotMilliseconds = latest + 1 }, by: space, "beyond 2200")
        try expectRefused(space.changing(page) { $0.greatestStamp = .greatest }, by: space, "the last stamp of all")
        var accepting = space
        try accepting.stepNode(.page(space.changing(page) { $0.pivotMilliseconds = latest }))
        #expect(accepting.node.faults.isEmpty, "a pivot whose clock is wrong is none that lies")
    }

    @Test("a snapshot's times are held to the same")
    func snapshots() throws {
        let (space, page) = try spaceWithNews()
        let base = space.node.core.base
        let far = HybridTimestamp(milliseconds: Now.latestWallMilliseconds + UInt64(Self.allowance))
        let changes: [((inout Checkpoint) -> Void, HybridTimestamp)] = [
            ({ $0.greatestStamp = .greatest }, .greatest), ({ $0.greatestStamp = far }, far), ({ _ in }, far),
            ({ $0.pivotMilliseconds = Limits.ordinalLimit - 1 }, .zero),
        ]
        for (change, live) in changes {
            var space = space
            let checkpoint = try space.changing(page) {
                $0.epoch.number += 1
                $0.position = base.position
                change(&$0)
            }.checkpoint
            let before = space.node.core.record
            let snapshot = StagedSnapshot(base: base, checkpoint: checkpoint, greatestLiveStamp: live, entries: 0)
            try space.stepNode(.snapshot(snapshot))
            #expect(space.node.faults == ["bad-page"])
            #expect(space.node.core.record == before)
        }
    }

    @Test("an allowance that grew and shrank within one page accuses nobody")
    func allowances() throws {
        var space = try SmallSpace()
        var settings = space.pivot.core.base.records.settings
        for milliseconds in [UInt64(Self.allowance), 0, 30_000] {
            settings.maxClockAheadMilliseconds = milliseconds
            try space.write(SpaceRecords.settingsPath, settings.json)
            let now = space.now
            space.now = Now(wallMilliseconds: now.wallMilliseconds + 1000, steadyMilliseconds: now.steadyMilliseconds + 1000)
            let write: GimbalWire.Operation.Action = .assign(value: Array("1".utf8), created: .zero)
            #expect(try space.push(space.delta([(1 << 30, "settings", write)], incarnation: 99)).verdict == .accepted)
        }
        try space.pull()
        #expect(space.node.faults.isEmpty && space.node.core.cursor == space.pivot.core.place)
    }

    @Test("a pivot that was once in 2150 is followed then and afterwards", arguments: [5_680_281_600_000, 0] as [UInt64])
    func wrongOnce(milliseconds: UInt64) throws {
        var space = try SmallSpace()
        let right = space.now
        for (number, now) in [Now(wallMilliseconds: milliseconds, steadyMilliseconds: 5), right, right].enumerated() {
            space.now = now
            let write: GimbalWire.Operation.Action = .assign(value: Array("\(number)".utf8), created: .zero)
            #expect(try space.push(space.delta([(1, "settings", write)], incarnation: 99)).verdict == .accepted)
            space.now = right
            try space.pull()
            try space.writeAtNode("settings", "9")
            try space.pushFromNode()
            try space.pull()
            #expect(space.node.faults.isEmpty && space.node.core.cursor == space.pivot.core.place)
            let path = try #require(Path("settings"))
            #expect(space.pivot.disk.base.states[path]?.visible?.value == Array("9".utf8), "who has seen it can overwrite it")
        }
    }
}
