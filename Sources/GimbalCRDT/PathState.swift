/// What one accepted operation does to its path.
public enum Effect: Hashable, Sendable {
    /// A register takes a value, or a deletion (`value` nil).
    case write(Write)
    /// A member gains the write's dot and loses those that its writer observed.
    case put(Write, observed: [Dot])
    /// A member loses the dots that its writer observed.
    case remove(Dot, observed: [Dot])

    /// The name of the operation.
    public var dot: Dot {
        switch self {
        case .write(let write), .put(let write, _): write.dot
        case .remove(let dot, _): dot
        }
    }

    public var observed: [Dot] {
        switch self {
        case .write: []
        case .put(_, let observed), .remove(_, let observed): observed
        }
    }
}

/// The CRDT of one path: which of the two it is follows from the path alone.
public enum PathState: Hashable, Sendable {
    case register(Register)
    case member(Member)

    /// The state after `effect`; nil when nothing is left to keep.
    ///
    /// - Precondition: the effect fits the path's type. An operation for which it does not is malformed and never gets here.
    public static func applying(_ effect: Effect, to state: PathState?) -> PathState? {
        switch (effect, state) {
        case (.write(let write), nil):
            return .register(Register(write))
        case (.write(let write), .register(var register)):
            register.apply(write)
            return .register(register)
        case (.put(let write, let observed), nil):
            var member = Member()
            member.apply(write, observing: observed)
            return .member(member)
        case (.put(let write, let observed), .member(var member)):
            member.apply(write, observing: observed)
            return .member(member)
        case (.remove, nil):
            return nil
        case (.remove(let dot, let observed), .member(var member)):
            member.remove(dot, observing: observed)
            return member.isPresent ? .member(member) : nil
        case (.write, .member), (.put, .register), (.remove, .register):
            preconditionFailure("an operation whose kind does not fit its path is malformed")
        }
    }

    /// What a read answers; nil for a deleted register.
    public var visible: Write? {
        switch self {
        case .register(let register): register.value == nil ? nil : register.write
        case .member(let member): member.winner
        }
    }

    /// Everything kept on the path, in the order of dots.
    public var writes: [Write] {
        switch self {
        case .register(let register): [register.write]
        case .member(let member): member.live
        }
    }
}
