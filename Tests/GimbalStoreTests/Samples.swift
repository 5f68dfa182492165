import Foundation
import GimbalStorage
import Testing

/// A folder of real bytes, each file named RULE.NUMBER.cbor after its rule in Specs/gimbal.cddl. At most 200 of a rule.
struct Samples {
    let folder: String
    var counts: [String: Int] = [:]

    mutating func add(_ rule: String, _ bytes: [UInt8]) throws {
        counts[rule, default: 0] += 1
        guard let count = counts[rule], count <= 200 else { return }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(rule).\(count).cbor"))
    }

    mutating func add(_ rule: String, _ engine: some StorageEngine, _ section: GimbalStorage.Section) throws {
        var values: [[UInt8]] = []
        try engine.scan(section, from: [], until: nil) { _, value throws(StorageError) in
            values.append(value)
            return true
        }
        for value in values { try add(rule, value) }
    }

    mutating func add(_ rule: String, metadata key: String, of engine: some StorageEngine) throws {
        let value = try engine.load([Array(key.utf8)], from: .metadata)[0]
        try add(rule, #require(value))
    }
}
