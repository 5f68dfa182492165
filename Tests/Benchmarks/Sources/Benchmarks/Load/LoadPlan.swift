/// What a load asks of a server.
struct LoadPlan {
    var port: UInt16
    var connections: Int
    var request: RequestTemplate
    var keys: KeyOrder
    /// A header line that answers should have; see `LoadResult.answersWithoutHeaderLine`.
    var expectedHeaderLine: String?
}

enum LoadLength {
    /// Only what is answered after the warm-up and before the end counts.
    case time(warmUpSeconds: Double, seconds: Double)
    case requests(Int)
}

/// What came of a load. Every answer was a good one, or there would be no result.
struct LoadResult {
    let requests: Int
    let seconds: Double
    let latencies: Latencies
    let answerBytes: Int
    let answersWithoutHeaderLine: Int

    var rate: Double { Double(requests) / seconds }
}
