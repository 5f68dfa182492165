import Configuration

extension Door {
    /// From flags or `allowedHosts` and `allowedOrigins` in the configuration.
    ///
    /// - Parameter host: where the server listens; if that is a name, it answers under it.
    init(_ settings: ConfigReader, _ flags: ServerOptions.Flags, listening host: String) throws {
        let hosts = flags.allowedHosts.isEmpty ? try ServerOptions.list("allowedHosts", settings) : flags.allowedHosts
        let origins = flags.allowedOrigins.isEmpty ? try ServerOptions.list("allowedOrigins", settings) : flags.allowedOrigins
        let names = try hosts.map { try ServerOptions.parse($0, AllowedHosts.configured, "a name such as gimbal.example.com") }
        self.init(
            hosts: AllowedHosts(names + [host] + AllowedHosts.ownNames),
            origins: try origins.map {
                try ServerOptions.parse($0, AllowedOrigin.init, "an origin such as https://app.example.com")
            })
    }
}

extension AllowedHosts {
    /// Nil for what is no name of a host, with or without a port: a URL, for one, or a pattern.
    static func configured(_ text: String) -> String? {
        guard let name = name(of: text), !name.hasPrefix("["), name.wholeMatch(of: /[a-z0-9_-]+(\.[a-z0-9_-]+)*/) != nil else {
            return nil
        }
        return name
    }
}
