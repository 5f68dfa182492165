/// A protocol role as a value: it says what a step needs, is given it, and answers what the step leads to.
///
/// A machine knows no clock, dice, disk or network. `Stepper` runs it over a disk, in servers and in tests alike.
public protocol Machine: Sendable {
    associatedtype Input: Sendable
    associatedtype Needs: Sendable
    associatedtype Facts: Sendable
    associatedtype Commit: Sendable
    associatedtype Directive: Sendable

    /// What has to be loaded before these inputs can be taken in one step.
    func needs(of inputs: [Input]) -> Needs

    /// Takes everything that is waiting at once: one commit for all of it. `facts` are what `needs(of:)` asked for, of the disk
    /// as the last commit left it.
    mutating func step(
        _ inputs: [Input], given facts: Facts, now: Now, using random: inout some RandomNumberGenerator
    ) -> Step<Commit, Directive>
}
