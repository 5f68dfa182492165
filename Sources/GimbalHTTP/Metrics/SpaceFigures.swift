import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire

/// How a space of a server stands at the moment of a scrape.
struct SpaceFigures {
    let name: String

    func write(_ served: ServedSpace, to page: inout MetricsPage) {
        let standing = served.standing
        let label = served.id?.label ?? name
        page.set(.ready, ["space": label], standing.isReady ? 1 : 0)
        if let fault = standing.fault { page.set(.fault, ["space": label, "code": fault.code], 1) }
        switch served.state {
        case .led(let pivot, let routes):
            write(pivot, nodes: routes.health.entries(of: name, logEnd: pivot.place.position), to: &page)
        case .followed(let session): if let node = session.node { write(node, to: &page) }
        case .local(let local):
            describe(local.space, role: "local", local.author, to: &page)
            write(local.statistics, ["space": local.space.label], to: &page)
        case .unavailable: break
        }
    }

    private func write(_ pivot: PivotSpace, nodes: [PivotHealth.Entry], to page: inout MetricsPage) {
        let labels: MetricLabels = ["space": pivot.space.label]
        describe(pivot.space, role: "pivot", pivot.author, to: &page)
        let kept = pivot.retentionStatus
        writeLog(labels, end: pivot.place.position, kept.horizon, bytes: kept.bytes, proofs: kept.retained, to: &page)
        page.set(.snapshotReaders, labels, Double(kept.snapshotReaders))
        page.set(.members, labels, Double(pivot.records.members.count))
        if let count = pivot.siblingCount { page.set(.siblings, labels, Double(count)) }
        write(pivot.statistics, labels, to: &page)
        for node in nodes {
            let labels = labels.adding("node", String(node.author.prefix(16)))
            page.set(.nodeConnected, labels, node.following ? 1 : 0)
            page.set(.nodeLag, labels, Double(node.lag))
            page.set(.nodeHeard, labels, node.silentSeconds)
            if let skew = node.clockSkewMilliseconds { page.set(.nodeSkew, labels, Double(skew) / 1000) }
        }
    }

    private func write(_ node: NodeSpace, to page: inout MetricsPage) {
        let labels: MetricLabels = ["space": node.space.label]
        describe(node.space, role: "node", node.author, to: &page)
        let kept = node.retentionStatus
        writeLog(labels, end: node.cursor.position, kept.horizon, bytes: kept.bytes, proofs: kept.retained, to: &page)
        page.set(.members, labels, Double(node.records.members.count))
        if let count = node.siblingCount { page.set(.siblings, labels, Double(count)) }
        page.set(.outbox, labels, Double(node.outboxCount))
        // What the storage cannot say now is left out; its fault is among the figures.
        let oldest = (try? node.oldestPending()) ?? nil
        let age = oldest.map { Date().timeIntervalSince1970 - Double($0.milliseconds) / 1000 } ?? 0
        page.set(.outboxAge, labels, max(0, age))
        if let letters = try? node.deadLetters() { page.set(.deadLetters, labels, Double(letters.count)) }
        page.set(.following, labels, node.isFollowing ? 1 : 0)
        if let offset = node.pivotClock.offsetMilliseconds { page.set(.pivotOffset, labels, Double(offset) / 1000) }
        write(node.statistics, labels, to: &page)
    }

    private func writeLog(
        _ labels: MetricLabels, end: UInt64, _ horizon: UInt64, bytes: UInt64, proofs: UInt64, to page: inout MetricsPage
    ) {
        page.set(.logPosition, labels, Double(end))
        page.set(.logHorizon, labels, Double(horizon))
        page.set(.logBytes, labels, Double(bytes))
        page.set(.logProofs, labels, Double(proofs))
    }

    private func describe(
        _ space: SpaceID, role: String, _ author: AuthorID, to page: inout MetricsPage
    ) {
        page.set(.space, ["space": space.label, "id": space.hex, "name": name, "role": role, "author": author.hex], 1)
    }

    /// RocksDB's own, by its own names; what it has for each family of columns with that as a label.
    private func write(_ statistics: [String: UInt64], _ labels: MetricLabels, to page: inout MetricsPage) {
        for (key, value) in statistics.sorted(by: { $0.key < $1.key }) {
            let parts = key.split(separator: ".", maxSplits: 1)
            let name = "gimbal_rocksdb_" + (parts.last ?? "").replacing("-", with: "_")
            let help = "RocksDB's property \(parts.last ?? "")\(parts.count > 1 ? ", of a family of columns" : "")."
            page.describe(name, .gauge, help)
            page.add(name, parts.count > 1 ? labels.adding("family", String(parts[0])) : labels, Double(value))
        }
    }
}
