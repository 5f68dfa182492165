import GimbalWire
import Testing

/// JSON Patch (RFC 6902): the RFC's examples, and that what the writer writes is what the reader applies.
struct JSONPatchTests {
    /// Document, patch, result; nil where the patch must be refused. Appendix A of the RFC, and what is near it.
    static let rows: [(String, String, String?)] = [
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"foo":"bar","baz":"qux"}"#),
        (#"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#, #"{"foo":["bar","qux","baz"]}"#),
        (#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
        (#"{"foo":["bar","qux","baz"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["bar","baz"]}"#),
        (#"{"baz":"qux"}"#, #"[{"op":"replace","path":"/baz","value":"boo"}]"#, #"{"baz":"boo"}"#),
        (
            #"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#
        ),
        (
            #"{"foo":["all","grass","cows","eat"]}"#, #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            #"{"foo":["all","cows","eat","grass"]}"#
        ),
        (#"{"a":[1,{"b":2}]}"#, #"[{"op":"copy","from":"/a/1","path":"/c"}]"#, #"{"a":[1,{"b":2}],"c":{"b":2}}"#),
        (
            #"{"baz":"qux","foo":["a",2,"c"]}"#,
            #"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2.0}]"#,
            #"{"baz":"qux","foo":["a",2,"c"]}"#
        ),
        (#"{"baz":"qux"}"#, #"[{"op":"test","path":"/baz","value":"bar"}]"#, nil),
        (#"{"a":{"x":1,"y":2}}"#, #"[{"op":"test","path":"/a","value":{"y":2,"x":1}}]"#, #"{"a":{"x":1,"y":2}}"#),
        (#"{"a":{"x":1,"y":2}}"#, #"[{"op":"test","path":"/a","value":{"y":2}}]"#, nil),
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz/bat","value":"qux"}]"#, nil),
        (
            #"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":10},{"op":"replace","path":"/~1","value":8}]"#,
            #"{"/":8,"~1":10}"#
        ),
        (#"{"":{"":1}}"#, #"[{"op":"replace","path":"//","value":2}]"#, #"{"":{"":2}}"#),
        (#"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#, #"{"foo":["bar",["abc","def"]]}"#),
        (#"[1]"#, #"[{"op":"add","path":"","value":{"a":null}}]"#, #"{"a":null}"#),
        (#"[1,2]"#, #"[{"op":"remove","path":"/01"}]"#, nil),
        (#"[1,2]"#, #"[{"op":"remove","path":"/2"}]"#, nil),
        (#"[1,2]"#, #"[{"op":"remove","path":"/-1"}]"#, nil),
        (#"[1,2]"#, #"[{"op":"add","path":"/3","value":1}]"#, nil),
        (#"[1,2]"#, #"[{"op":"replace","path":"/-","value":1}]"#, nil),
        (#"{}"#, #"[{"op":"replace","path":"/a","value":1}]"#, nil),
        (#"{}"#, #"[{"op":"add","path":"a","value":1}]"#, nil),
        (#"{}"#, #"[{"op":"add","path":"/a~2","value":1}]"#, nil),
        (#"{}"#, #"[{"op":"add","path":"/a~","value":1}]"#, nil),
        (#"{}"#, #"[{"op":"add","path":"/a"}]"#, nil),
        (#"{}"#, #"[{"op":"spin","path":"/a","value":1}]"#, nil),
        (#"{}"#, #"{"op":"add","path":"/a","value":1}"#, nil),
        (#"{"a":1}"#, #"[{"op":"remove","path":""}]"#, nil),
        (#"[1,2]"#, #"[{"op":"remove","path":"/+1"}]"#, nil),
        (#"[1,2]"#, #"[{"op":"replace","path":"/-0","value":0}]"#, nil),
        // Halves of surrogate pairs are names and values like others, and all is carried as it was written.
        (#"{"\ud83d":1,"\ud83e":2}"#, #"[{"op":"remove","path":"/\ud83e"}]"#, #"{"\ud83d":1}"#),
        (#"{"a":"\ud83d"}"#, #"[{"op":"test","path":"/a","value":"\ud83e"}]"#, nil),
        (#"{"a":"\ud83d"}"#, #"[{"op":"replace","path":"/a","value":"\ud83e"}]"#, #"{"a":"\ud83e"}"#),
        (#"{"a":"\n\/\u0041"}"#, #"[{"op":"add","path":"/b","value":1e400}]"#, #"{"a":"\n\/\u0041","b":1e400}"#),
        (#"{"a":"\u0041"}"#, #"[{"op":"test","path":"/\u0061","value":"A"}]"#, #"{"a":"\u0041"}"#),
        (#"{"a":1e400}"#, #"[{"op":"test","path":"/a","value":1e401}]"#, nil),
    ]

    @Test("operations of RFC 6902", arguments: rows.indices)
    func examples(_ index: Int) throws {
        let (document, patch, expected) = Self.rows[index]
        let parsed = try JSONValue(parsing: Array(document.utf8))
        let patchJSON = try JSONValue(parsing: Array(patch.utf8))
        let result = try? JSONPatch(patchJSON).applied(to: parsed)
        #expect(result.map { String(decoding: $0.write(), as: UTF8.self) } == expected)
    }

    @Test("what the writer writes turns the old document into the new one")
    func roundTrip() throws {
        var random = SplitMix(state: 7)
        for _ in 0..<3_000 {
            let old = Self.document(&random, depth: 0)
            let new = Self.document(&random, depth: 0)
            var writer = JSONPatchWriter()
            writer.change(old, to: new, at: .root)
            let text = Array("[".utf8) + writer.operations + Array("]".utf8)
            let result = try JSONPatch(JSONValue(parsing: text)).applied(to: old)
            // Equal but for the order of members: nothing is left to change.
            var rest = JSONPatchWriter()
            rest.change(result, to: new, at: .root)
            #expect(rest.isEmpty, "\(String(decoding: text, as: UTF8.self))")
        }
    }

    private static func document(_ random: inout SplitMix, depth: Int) -> JSONValue {
        switch random.next() % (depth < 3 ? 6 : 3) {
        case 0: .number(String(random.next() % 3))
        case 1: .string(["", "a/b~c", "ä\u{1F600}\n"][Int(random.next() % 3)])
        case 2: .null
        case 3: .array((0..<Int(random.next() % 4)).map { _ in document(&random, depth: depth + 1) })
        default:
            .object(
                ["a", "b", "x/y", "t~u", "~1", ""].compactMap { name in
                    random.next() % 2 == 0 ? (JSONString(name), document(&random, depth: depth + 1)) : nil
                })
        }
    }
}

struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
