import Configuration
import Foundation
import GimbalCRDT
import GimbalClient
import GimbalReplication
import GimbalStore
import GimbalWire

/// What one process is to do with one space: lead it, or follow its pivot.
public struct SpacePlan: Sendable {
    public enum Role: Sendable {
        case lead(Leading)
        case follow(Following)
    }

    public struct Leading: Sendable {
        public var allowed: [AuthorID] = []
        public var isEnrollmentOpen = false
        /// Networks in which nodes may be told to pull although their requests come from elsewhere.
        public var triggerNetworks: [IPNetwork] = []
        /// The greatest value that the space takes from now on; nil: as it is stored.
        public var valueBytes: Int?
        /// How far a stamp may be ahead of the pivot's time; nil: as it is stored.
        public var maxClockAheadMilliseconds: UInt64?
    }

    public struct Following: Sendable {
        /// In the one spelling that an address has (`ServerAddress.base`).
        public var pivotURL: String
        /// The id of a space or the name that its pivot gives it; nil: the one stored, or the only one there.
        public var space: String?
        /// Under which URL the pivot can tell this node to pull; nil: it cannot.
        public var reachableAt: String?
    }

    /// Of the space in this process.
    public var name: String
    public var role: Role
    /// Led: added to those that the space has; founded without any, it holds everything. Followed: what is known of the
    /// space's paths before its first log is here.
    public var patterns: [Pattern]
    public var dataFolder: String

    public var leading: Leading? { if case .lead(let leading) = role { leading } else { nil } }
    public var following: Following? { if case .follow(let following) = role { following } else { nil } }
}

/// Reads plans from flags and settings.
struct SpacePlanReader {
    let settings: ConfigReader
    let dataFolder: String

    /// The space of a process that holds one beside the local one, as its flags or the top of the file say.
    func single(_ flags: ServerOptions.Flags, for program: ServerOptions.Program) throws -> SpacePlan {
        let sync = flags.sync.isEmpty ? try ServerOptions.list("sync", settings) : flags.sync
        let role: SpacePlan.Role
        switch program {
        case .pivot:
            role = .lead(try leading(settings, flags))
        case .node:
            guard let url = flags.pivot ?? settings.string(forKey: "pivot") else {
                throw ServerOptions.Failure(description: "--pivot URL is needed: the pivot to synchronise with")
            }
            role = .follow(
                try following(settings, url, space: flags.space, reachableAt: flags.reachableAt))
        }
        return SpacePlan(name: "main", role: role, patterns: try patterns(sync), dataFolder: dataFolder)
    }

    /// The spaces that the file names in `spaces` and describes under `space.NAME`.
    func named(_ names: [String]) throws -> [SpacePlan] {
        guard Set(names).count == names.count else {
            throw ServerOptions.Failure(description: "\"spaces\" names a space twice: \(names.joined(separator: ", "))")
        }
        let plans = try names.map { try named($0, isOnly: names.count == 1) }
        let folders = plans.map { URL(fileURLWithPath: $0.dataFolder).standardizedFileURL.path }
        guard Set(folders).count == folders.count else {
            throw ServerOptions.Failure(description: "two spaces have one data folder: each needs its own")
        }
        var claims = SpaceClaims()
        for plan in plans { if let overlap = claims.claim(plan.patterns, for: plan.name).first { throw overlap } }
        return plans
    }

    private func named(_ name: String, isOnly: Bool) throws -> SpacePlan {
        guard name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9-]*/) != nil, name != SpaceHost.localName else {
            throw ServerOptions.Failure(
                description: "\"\(name)\" is no name for a space: letters, digits and -, and not \"\(SpaceHost.localName)\"")
        }
        let settings = settings.scoped(to: ConfigKey("space.\(name)"))
        let patterns = try patterns(try ServerOptions.list("sync", settings))
        let role: SpacePlan.Role
        switch (settings.bool(forKey: "lead", default: false), settings.string(forKey: "pivot")) {
        case (true, nil):
            role = .lead(try leading(settings))
            guard !patterns.isEmpty || isOnly else {
                throw ServerOptions.Failure(description: "space.\(name) leads and has no \"sync\": which paths are its?")
            }
        case (false, let url?): role = .follow(try following(settings, url))
        case (true, .some), (false, nil):
            throw ServerOptions.Failure(
                description: "space.\(name) says either \"lead\": true or \"pivot\": the URL of its pivot")
        }
        return SpacePlan(
            name: name, role: role, patterns: patterns,
            dataFolder: settings.string(forKey: "data") ?? "\(dataFolder)/space/\(name)")
    }

    // MARK: Parts

    private func patterns(_ texts: [String]) throws -> [Pattern] {
        try texts.map { try ServerOptions.parse($0, Pattern.init(_:), "a pattern such as things/* or settings") }
    }

    private func leading(
        _ settings: ConfigReader, _ flags: ServerOptions.Flags = ServerOptions.Flags()
    ) throws -> SpacePlan.Leading {
        let allow = flags.allow.isEmpty ? try ServerOptions.list("allow", settings) : flags.allow
        let networks = flags.triggerNetworks.isEmpty ? try ServerOptions.list("triggerNetworks", settings) : flags.triggerNetworks
        let valueBytes = try ServerOptions.positive("valueBytes", settings, flags.valueBytes)
        guard valueBytes ?? 1 <= Limits.hardMaximumValueBytes else {
            throw ServerOptions.Failure(
                description: "--value-bytes takes at most \(Limits.hardMaximumValueBytes) bytes, not \(valueBytes ?? 0)")
        }
        let ahead = try ServerOptions.positive("maxClockAheadSeconds", settings, flags.maxClockAheadSeconds)
        let mostAhead = Int(SpaceSettings.hardMaximumClockAheadMilliseconds / 1000)
        guard ahead ?? 1 <= mostAhead else {
            throw ServerOptions.Failure(description: "--max-clock-ahead takes at most \(mostAhead) seconds, not \(ahead ?? 0)")
        }
        return SpacePlan.Leading(
            allowed: try allow.map {
                try ServerOptions.parse($0, AuthorID.init(hex:), "a public key of 64 hexadecimal digits")
            },
            isEnrollmentOpen: flags.isEnrollmentOpen || settings.bool(forKey: "openEnrollment", default: false),
            triggerNetworks: try networks.map { try ServerOptions.parse($0, IPNetwork.init, "a network such as 10.1.0.0/16") },
            valueBytes: valueBytes, maxClockAheadMilliseconds: ahead.map { UInt64($0) * 1000 })
    }

    private func following(
        _ settings: ConfigReader, _ url: String, space: String? = nil, reachableAt: String? = nil
    ) throws -> SpacePlan.Following {
        let address = reachableAt ?? settings.string(forKey: "reachableAt")
        guard address == nil || address.flatMap(TriggerAddress.init) != nil else {
            throw ServerOptions.Failure(
                description:
                    "--reachable-at takes a URL with a literal address, such as http://10.0.0.5:7001, not \(address ?? "")")
        }
        let pivot: ServerAddress
        do {
            pivot = try ServerAddress(url)
        } catch {
            throw ServerOptions.Failure(description: "--pivot takes a URL such as http://10.0.0.1:7000: \(error)")
        }
        return SpacePlan.Following(
            pivotURL: pivot.base, space: space ?? settings.string(forKey: "space"), reachableAt: address)
    }
}
