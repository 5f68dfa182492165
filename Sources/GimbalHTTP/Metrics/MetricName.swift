/// The metrics of a server, each with what it says.
enum MetricName: String, CaseIterable {
    case requests = "gimbal_http_requests_total"
    case requestTime = "gimbal_http_request_seconds"
    case connections = "gimbal_http_connections"
    case timeouts = "gimbal_http_timeouts_total"
    case subscriptions = "gimbal_subscriptions"
    case space = "gimbal_space_info"
    case ready = "gimbal_space_ready"
    case commitTime = "gimbal_commit_seconds"
    case fsyncTime = "gimbal_fsync_seconds"
    case commitFailures = "gimbal_commit_failures_total"
    case logPosition = "gimbal_log_position"
    case logHorizon = "gimbal_log_horizon"
    case members = "gimbal_members"
    case siblings = "gimbal_members_with_siblings"
    case outbox = "gimbal_outbox_operations"
    case outboxAge = "gimbal_outbox_age_seconds"
    case deadLetters = "gimbal_dead_letters"
    case fault = "gimbal_fault"
    case following = "gimbal_pivot_connected"
    case pivotOffset = "gimbal_pivot_clock_offset_seconds"
    case verdicts = "gimbal_push_verdicts_total"
    case refusedOperations = "gimbal_refused_operations_total"
    case cappedPushes = "gimbal_capped_pushes_total"
    case nodeConnected = "gimbal_node_connected"
    case nodeLag = "gimbal_node_lag_entries"
    case nodeHeard = "gimbal_node_heard_seconds"
    case nodeSkew = "gimbal_node_clock_skew_seconds"
    case cpu = "process_cpu_seconds_total"
    case memory = "process_resident_memory_bytes"
    case openFiles = "process_open_fds"
    case fileLimit = "process_max_fds"
    case started = "process_start_time_seconds"

    var help: String {
        switch self {
        case .requests: "HTTP requests that were answered, by route, method and status."
        case .requestTime: "Time from a request's head to the end of its answer."
        case .connections: "Open connections that speak HTTP."
        case .timeouts: "Connections that were ended because their client kept them waiting, by what for."
        case .subscriptions: "Open subscriptions."
        case .space: "A space of this process: its whole id, this server's role and author in it."
        case .ready: "Whether the space can be read and written."
        case .commitTime: "Time of a writer's step: from taking what waits to what it says after the commit."
        case .fsyncTime: "Time of the storage's part of a commit, which ends with the data on disk."
        case .commitFailures: "Commits that failed: nothing of them was stored or acknowledged."
        case .logPosition: "Last position of the log that is here."
        case .logHorizon: "First position from which whole deltas are kept."
        case .members: "Members of the space, revoked ones included."
        case .siblings: "Keys with more than one concurrent write; shown from some time after the first scrape on."
        case .outbox: "Own operations whose receipt has not come."
        case .outboxAge: "Age of the oldest operation in the outbox."
        case .deadLetters: "Own operations that the pivot refused and nobody has looked at."
        case .fault: "1 for what keeps this node from replicating now."
        case .following: "Whether this node follows its pivot's log."
        case .pivotOffset: "The pivot's clock minus this node's, estimated from answers."
        case .verdicts: "What pushes were answered with: given by a pivot, got by a node."
        case .refusedOperations: "Operations of accepted pushes that were refused, by reason."
        case .cappedPushes: "Pushes whose stamps were so far ahead that they were capped."
        case .nodeConnected: "Whether a node follows the log."
        case .nodeLag: "Log entries that were not sent to a node yet."
        case .nodeHeard: "Time since a node was last heard."
        case .nodeSkew: "A node's clock minus the pivot's, as the node estimates it."
        case .cpu: "Time that the process has used on all cores."
        case .memory: "Resident memory."
        case .openFiles: "Open files and sockets."
        case .fileLimit: "How many files and sockets may be open."
        case .started: "When the process started, in seconds since 1970."
        }
    }

    var kind: MetricsPage.Kind {
        if rawValue.hasSuffix("_total") { return .counter }
        switch self {
        case .requestTime, .commitTime, .fsyncTime: return .histogram
        default: return .gauge
        }
    }
}
