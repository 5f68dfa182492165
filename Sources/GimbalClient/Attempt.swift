/// A value, or the reason why it could not be decoded. It is for readers that must go on when other programs write values of
/// another shape.
///
/// `subscribe("things/*", as: Attempt<Thing>.self)` does not end at a value that is not a `Thing`.
public enum Attempt<Value: Decodable>: Decodable {
    case value(Value)
    case failure(any Error)

    public init(from decoder: any Decoder) throws {
        do { self = .value(try Value(from: decoder)) } catch { self = .failure(error) }
    }

    /// The value; nil where decoding failed.
    public var value: Value? { if case .value(let value) = self { value } else { nil } }
}

extension Attempt: Sendable where Value: Sendable {}
