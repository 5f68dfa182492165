/// What every engine must do, as named checks for the tests of any adapter.
///
/// ```swift
/// for check in StorageConformance.checks {
///     try await check.run(.init(keepsData: true) { () throws(StorageError) in try MyEngine(folder: folder) })
/// }
/// ```
/// Every run needs a new, empty place. A check throws a `ConformanceFailure` that says what was expected, or the
/// engine's own `StorageError`.
public enum StorageConformance {
    /// The engine to check: one place, which a check may open again after it has closed it.
    public struct Subject: Sendable {
        let keepsData: Bool
        let open: @Sendable () throws(StorageError) -> any StorageEngine

        /// `keepsData`: the place keeps its data when the engine is closed, and only one engine may have it open.
        public init(keepsData: Bool, open: @escaping @Sendable () throws(StorageError) -> any StorageEngine) {
            self.keepsData = keepsData
            self.open = open
        }
    }

    /// One promise of the contract.
    public struct Check: Sendable, CustomStringConvertible {
        /// The promise, as a sentence.
        public let name: String
        let body: @Sendable (Subject) async throws -> Void

        public func run(_ subject: Subject) async throws { try await body(subject) }

        public var description: String { name }
    }

    public static let checks: [Check] = readingChecks + committingChecks + isolationChecks + lifecycleChecks + stagingChecks

    static func check(
        _ name: String, _ body: @escaping @Sendable (any StorageEngine) async throws -> Void
    ) -> Check {
        Check(name: name) { subject in
            let engine = try subject.open()
            defer { engine.close() }
            try await body(engine)
        }
    }
}

/// A promise that the engine under test broke.
public struct ConformanceFailure: Error, CustomStringConvertible {
    public let description: String
}

func expect(_ claim: Bool, _ description: @autoclosure () -> String) throws(ConformanceFailure) {
    if !claim { throw ConformanceFailure(description: description()) }
}

func expect<Value: Equatable>(
    _ what: @autoclosure () -> String, _ found: Value, is expected: Value
) throws(ConformanceFailure) {
    try expect(found == expected, "\(what()): expected \(brief(expected)), found \(brief(found))")
}

/// Large values would bury the message.
private func brief(_ value: some Any) -> String {
    let text = "\(value)"
    return text.count <= 300 ? text : "\(text.prefix(300))… (\(text.count) characters)"
}

/// An entry that can be compared and printed.
struct Entry: Equatable, CustomStringConvertible {
    var key: [UInt8]
    var value: [UInt8]

    var description: String { "\(key)=\(value.count <= 16 ? "\(value)" : "\(value.count) bytes")" }
}

extension StorageView {
    func entries(
        _ section: Section, from lower: [UInt8] = [], until upper: [UInt8]? = nil
    ) throws(StorageError) -> [Entry] {
        var entries: [Entry] = []
        try scan(section, from: lower, until: upper) { key, value in
            entries.append(Entry(key: key, value: value))
            return true
        }
        return entries
    }

    func value(_ key: [UInt8], in section: Section = .state) throws(StorageError) -> [UInt8]? {
        let values = try load([key], from: section)
        return values.count == 1 ? values[0] : nil
    }

    func lastEntry(_ section: Section, below upper: [UInt8]) throws(StorageError) -> Entry? {
        try last(section, below: upper).map { Entry(key: $0.key, value: $0.value) }
    }
}

extension StorageEngine {
    func put(_ entries: [Entry], in section: Section = .state) throws(StorageError) {
        var batch = StorageBatch()
        for entry in entries { batch.put(entry.value, at: entry.key, in: section) }
        try commit(batch)
    }

    func put(_ value: [UInt8], at key: [UInt8], in section: Section = .state) throws(StorageError) {
        try put([Entry(key: key, value: value)], in: section)
    }
}

/// A number as a key or value whose order is the number's.
func bytes(_ number: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(number).bigEndian) { [UInt8]($0) }
}
