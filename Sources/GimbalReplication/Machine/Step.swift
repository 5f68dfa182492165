/// What one step of a machine leads to.
///
/// The commit is durable before any directive is carried out, and the directives are carried out in their order. etcd's raft
/// says this in the comment on `Ready`; here the type says it, so that no executor can get it wrong.
public struct Step<Commit: Sendable, Directive: Sendable>: Sendable {
    /// What has to be stored, all of it or nothing; nil when nothing has to be.
    public var commit: Commit?
    public var directives: [Directive]

    public init(commit: Commit? = nil, directives: [Directive] = []) {
        self.commit = commit
        self.directives = directives
    }
}
