/// The header lines of Gimbal's client API that the benchmarks send or look for.
enum GimbalHeader {
    static let readLocal = "Gimbal-Read: local"
    static let freshFromPivot = "Gimbal-Freshness: pivot"
}
