/// A value, or why it is none: for who wants to go on where others write what they like.
///
/// `subscribe("things/*", as: Attempt<Thing>.self)` does not end at a value that is no `Thing`.
public enum Attempt<Value: Decodable>: Decodable {
    case value(Value)
    case failure(any Error)

    public init(from decoder: any Decoder) throws {
        do { self = .value(try Value(from: decoder)) } catch { self = .failure(error) }
    }

    /// Nil where it is none.
    public var value: Value? { if case .value(let value) = self { value } else { nil } }
}

extension Attempt: Sendable where Value: Sendable {}
