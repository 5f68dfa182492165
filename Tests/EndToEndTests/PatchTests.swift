import Foundation
import NIOHTTP1
import Testing

/// PATCH over HTTP: what it leaves alone, what it refuses, and the two kinds of patches. Each on the lean path and, with a
/// query, beside it.
@Suite(.serialized, .cleansUp)
struct PatchTests {
    private static let suffixes = ["", "?beside=1"]

    @Test("members that a patch does not name stay byte for byte, at the server that takes it and at the others")
    func untouched() async throws {
        let fleet = try await Fleet(nodes: 1)
        let kept = #"{ "half":"\ud83d", "\ud800":1,"\ud801":2, "s":"\n\/\u000a", "n":[1e400,-0,1.0], "d":1,"d":2"#
        for (server, suffix) in zip([fleet.nodes[0], fleet.pivot], Self.suffixes) {
            try await server.set("things/x", kept + #","v":0 }"#)
            let reply = try await server.send(.PATCH, "/things/x\(suffix)", #"{"v":"\ud83e","new":1.50}"#)
            #expect(reply.status == 200 && reply.body == #"{"index":"x"}"#)
            try await fleet.converges("things/x", to: kept + #","v":"\ud83e","new":1.50 }"#)
            let siblings = try await server.send(.GET, "/things/x?siblings=1").body
            #expect(siblings.contains(#""half":"\ud83d","\ud800":1,"\ud801":2,"s":"\n\/\u000a""#), "\(siblings)")
        }
    }

    @Test("what does not fit is refused with the place, and nothing is stored")
    func mismatch() async throws {
        let fleet = try await Fleet(nodes: 0)
        let rows = [
            (#"{"o":{"x":1}}"#, #"{"o":3}"#, #"merge: patch value must be object for key "o""#),
            (#"{"o":{"x":1}}"#, #"{"o":null}"#, #"merge: patch value must be object for key "o""#),
            (#"{"o":{"x":{}}}"#, #"{"a":1,"o":{"x":[]}}"#, #"merge: patch value must be object for key "o.x""#),
            ("[1,2]", #"{"+1":0}"#, #"merge: the array has no element "+1""#),
            (#"{"l":[1]}"#, #"{"l":{"01":0}}"#, #"merge: the array has no element "l.01""#),
            ("7", #"{"a":1}"#, "merge: the value is neither an object nor an array"),
        ]
        for (document, patch, sentence) in rows {
            try await fleet.pivot.set("things/x", document)
            let before = try await fleet.pivot.send(.GET, "/things/x").body
            for suffix in Self.suffixes {
                let reply = try await fleet.pivot.send(.PATCH, "/things/x\(suffix)", patch)
                #expect(reply.status == 400 && reply.headers.first(name: "Gimbal-Error") == "patch-mismatch", "\(patch)")
                #expect(reply.body == sentence)
            }
            #expect(try await fleet.pivot.send(.GET, "/things/x").body == before)
        }
        let array = try await fleet.pivot.send(.PATCH, "/things/x", "[1]")
        #expect(array.status == 400 && array.headers.first(name: "Gimbal-Error") == "bad-patch")
    }

    @Test("a value near its limit takes a patch as long as the result is within it")
    func nearTheLimit() async throws {
        let fleet = try await Fleet(nodes: 0)
        let limit = 1 << 20
        // A line break took six bytes in the result once.
        let head = #"{"a":"\#(String(repeating: #"\n"#, count: 250_000))","b":1,"c":""#
        let document = head + String(repeating: "c", count: limit - head.utf8.count - 2) + #""}"#
        #expect(document.utf8.count == limit)
        try await fleet.pivot.set("things/x", document)
        for suffix in Self.suffixes {
            #expect(try await fleet.pivot.send(.PATCH, "/things/x\(suffix)", #"{"b":2}"#).status == 200)
            let over = try await fleet.pivot.send(.PATCH, "/things/x\(suffix)", #"{"b":22}"#)
            #expect(over.status == 413 && over.headers.first(name: "Gimbal-Error") == "too-large")
        }
        #expect(try await fleet.pivot.local("things/x") == document.replacing(#""b":1"#, with: #""b":2"#))
    }

    @Test("application/merge-patch+json is RFC 7396's, another kind of patch is refused with the kinds there are")
    func types() async throws {
        let fleet = try await Fleet(nodes: 0)
        func patch(_ body: String, _ type: String?, _ suffix: String) async throws -> Server.Reply {
            try await fleet.pivot.send(.PATCH, "/things/x\(suffix)", body, headers: type.map { ["Content-Type": $0] } ?? [:])
        }
        for suffix in Self.suffixes {
            for type in ["application/merge-patch+json", "Application/Merge-Patch+JSON; charset=utf-8"] {
                try await fleet.pivot.set("things/x", #"{"a":1,"o":{"x":1},"b":"\ud83d"}"#)
                #expect(try await patch(#"{"a":null,"o":3}"#, type, suffix).status == 200)
                #expect(try await fleet.pivot.local("things/x") == #"{"o":3,"b":"\ud83d"}"#)
                #expect(try await patch("[null]", type, suffix).status == 200)
                #expect(try await fleet.pivot.local("things/x") == "[null]")
            }
            try await fleet.pivot.set("things/x", #"{"a":1}"#)
            for type in [nil, "application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"] {
                #expect(try await patch(#"{"a":null}"#, type, suffix).status == 200)
                #expect(try await fleet.pivot.local("things/x") == #"{"a":null}"#)
            }
            for type in ["application/json-patch+json", "application/strategic-merge-patch+json"] {
                let reply = try await patch(#"[{"op":"remove","path":"/a"}]"#, type, suffix)
                #expect(reply.status == 415 && reply.headers.first(name: "Gimbal-Error") == "unknown-patch")
                #expect(reply.headers.first(name: "Accept-Patch") == "application/json, application/merge-patch+json")
            }
            #expect(try await fleet.pivot.local("things/x") == #"{"a":null}"#)
        }
    }
}
