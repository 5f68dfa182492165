import Foundation
import GimbalCRDT
import GimbalWire

/// What is at one path: a value and its times.
public struct Entry<Value> {
    /// The path, such as `things/42`.
    public let path: String
    /// When the path's present life began, in nanoseconds since 1970. Lists are ordered by it.
    public let created: UInt64
    /// When it was last written, in nanoseconds since 1970; nil when the first write is the last one.
    public let updated: UInt64?
    public let value: Value
    /// Whether the answer holds everything that the pivot had when it was asked; nil in subscriptions, which say nothing
    /// about it.
    public let freshness: Freshness?

    /// The path's last segment.
    public var index: String { path.split(separator: "/").last.map(String.init) ?? path }
    public var createdDate: Date { Date(nanoseconds: created) }
    public var updatedDate: Date? { updated.map { Date(nanoseconds: $0) } }
}

extension Entry: Sendable where Value: Sendable {}
extension Entry: Equatable where Value: Equatable {}
extension Entry: Hashable where Value: Hashable {}
extension Entry: Identifiable {
    public var id: String { path }
}

extension Date {
    /// As near as a `Date` comes to it.
    fileprivate init(nanoseconds: UInt64) { self.init(timeIntervalSince1970: Double(nanoseconds) / 1_000_000_000) }
}

extension Entry where Value: Decodable {
    init(_ item: Item, freshness: Freshness? = nil, _ decoder: JSONDecoder) throws(GimbalError) {
        path = item.path.description
        created = item.created
        updated = item.updated == 0 ? nil : item.updated
        self.freshness = freshness
        do {
            value = try decoder.decode(Value.self, from: Data(item.value))
        } catch {
            throw .undecodable(path: item.path.description, reason: "\(error)")
        }
    }
}
