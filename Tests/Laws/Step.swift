/// One thing that happens in a history. Numbers that name nothing are taken modulo what there is, and a step that cannot happen
/// is left out, so that every part of a history is a history.
public enum Step: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case set, delete, patch
        /// A new member with a fresh index.
        case add
        /// A value that a smaller limit refuses.
        case large
    }

    /// What the network does with a push and its answer.
    public enum Fate: String, CaseIterable, Sendable {
        case delivered, lost, twice
        case answerLost = "answer-lost"
        /// The sender gives up; the request arrives at a later time.
        case late
    }

    public enum Grant: String, CaseIterable, Sendable { case all, things, revoked }

    /// `waits`: it is taken together with the next input of the same server.
    case write(who: Int, Kind, path: Int, waits: Bool)
    case push(who: Int, Fate)
    /// Takes up to `limit` commits of the pivot (deltas of the peer where there is no pivot).
    case pull(who: Int, from: Int, limit: Int)
    /// A page that was asked for earlier arrives.
    case stalePage(who: Int)
    case clock(who: Int, offset: Int64)
    case crash(who: Int)
    /// The next commit of the server fails.
    case failCommit(who: Int)
    /// The data folder is copied.
    case save(who: Int)
    /// The copy takes the folder's place.
    case restore(who: Int)
    /// A second server starts on a copy of the folder.
    case clone(who: Int)
    case grant(who: Int, Grant)
    case limit(bytes: Int)
}

extension Step: CustomStringConvertible {
    /// One line; `init(_:)` reads it back.
    public var description: String {
        switch self {
        case .write(let who, let kind, let path, let waits): "write \(who) \(kind.rawValue) \(path)\(waits ? " waits" : "")"
        case .push(let who, let fate): "push \(who) \(fate.rawValue)"
        case .pull(let who, let from, let limit): "pull \(who) \(from) \(limit)"
        case .stalePage(let who): "stale-page \(who)"
        case .clock(let who, let offset): "clock \(who) \(offset)"
        case .crash(let who): "crash \(who)"
        case .failCommit(let who): "fail-commit \(who)"
        case .save(let who): "save \(who)"
        case .restore(let who): "restore \(who)"
        case .clone(let who): "clone \(who)"
        case .grant(let who, let grant): "grant \(who) \(grant.rawValue)"
        case .limit(let bytes): "limit \(bytes)"
        }
    }

    /// Nil for a line that no step is written as.
    public init?(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 2, let number = Int(words[1]) else { return nil }
        let rest = Array(words.dropFirst(2))
        switch (words[0], rest.count) {
        case ("write", 2...3):
            guard let kind = Kind(rawValue: rest[0]), let path = Int(rest[1]) else { return nil }
            self = .write(who: number, kind, path: path, waits: rest.count == 3)
        case ("push", 1):
            guard let fate = Fate(rawValue: rest[0]) else { return nil }
            self = .push(who: number, fate)
        case ("pull", 2):
            guard let from = Int(rest[0]), let limit = Int(rest[1]) else { return nil }
            self = .pull(who: number, from: from, limit: limit)
        case ("stale-page", 0): self = .stalePage(who: number)
        case ("clock", 1):
            guard let offset = Int64(rest[0]) else { return nil }
            self = .clock(who: number, offset: offset)
        case ("crash", 0): self = .crash(who: number)
        case ("fail-commit", 0): self = .failCommit(who: number)
        case ("save", 0): self = .save(who: number)
        case ("restore", 0): self = .restore(who: number)
        case ("clone", 0): self = .clone(who: number)
        case ("grant", 1):
            guard let grant = Grant(rawValue: rest[0]) else { return nil }
            self = .grant(who: number, grant)
        case ("limit", 0): self = .limit(bytes: number)
        default: return nil
        }
    }
}
