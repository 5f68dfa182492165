import GimbalCRDT
import GimbalReplication
import GimbalWire

/// The bodies of writes, and what the space's own records are read from: JSON texts.
enum JSONProperties {
    static func check(_ bytes: [UInt8]) {
        let isText = (try? JSONText.validate(bytes)) != nil
        let reference = ReferenceJSON(bytes)
        require(isText == (reference != nil), "exactly the texts of RFC 8259 are taken")
        for nesting in [0, 1, 3] {
            let isFlat = (try? JSONText.validate(bytes, maximumNesting: nesting)) != nil
            require(isFlat == (ReferenceJSON(bytes, nesting: nesting) != nil), "nesting is counted")
        }
        let value = try? JSONValue(parsing: bytes)
        require((value != nil) == isText, "what is JSON is parsed, and nothing else")
        guard let value else { return }
        let written = value.write()
        require(ReferenceJSON(written) == reference, "what was parsed means the same when it is written")
        require((try? JSONValue(parsing: written)) == value, "what was written is parsed as it was")
        require((try? JSONValue(parsing: written))?.write() == written, "there is one compact form")
        checkRecords(bytes)
    }

    private static func checkRecords(_ bytes: [UInt8]) {
        if let settings = SpaceSettings(json: bytes) {
            require(SpaceSettings(json: settings.json) == settings, "settings are what their JSON says")
            require((1...Limits.hardMaximumValueBytes).contains(settings.limits.valueBytes), "limits are within the maxima")
        }
        if let member = MemberRecord(json: bytes) {
            require(MemberRecord(json: member.json) == member, "a member is what its JSON says")
        }
    }
}
