import GimbalWire
import Testing

/// Names and strings of JSON are bytes. Finds of the fuzz target `patch`.
struct JSONNameTests {
    private static let composed = "\u{e9}"
    private static let decomposed = "e\u{301}"

    private static func merged(_ document: String, _ patch: String) throws -> String {
        String(decoding: try JSONMerge.merge(document: Array(document.utf8), patch: Array(patch.utf8)), as: UTF8.self)
    }

    private static func change(_ old: String, _ new: String) throws -> String {
        var writer = JSONPatchWriter()
        writer.change(
            try JSONValue(parsing: Array(old.utf8)), to: try JSONValue(parsing: Array(new.utf8)), at: .root)
        return String(decoding: writer.operations, as: UTF8.self)
    }

    @Test("a patch changes the member of that name, not one that looks the same")
    func merge() throws {
        #expect(Self.composed == Self.decomposed, "Swift takes them for equal")
        let merged = try Self.merged(#"{"\#(Self.composed)":1}"#, #"{"\#(Self.decomposed)":2}"#)
        #expect(merged.utf8.elementsEqual(#"{"\#(Self.composed)":1,"\#(Self.decomposed)":2}"#.utf8))
    }

    @Test("subscribers are told of a change that only the bytes show")
    func change() throws {
        #expect(try Self.change(#"["\#(Self.composed)"]"#, #"["\#(Self.decomposed)"]"#) != "")
        let both = #"{"\#(Self.composed)":1,"\#(Self.decomposed)":1}"#
        #expect(try Self.change(both, #"{"\#(Self.composed)":1}"#).contains(#""op":"remove""#))
        #expect(try Self.change(both, both) == "")
    }

    @Test("subscribers are told of another half of a surrogate pair, in a value and in a name")
    func halves() throws {
        #expect(try Self.change(#"{"a":"\ud83d"}"#, #"{"a":"\ud83e"}"#) == #"{"op":"replace","path":"/a","value":"\ud83e"}"#)
        let names = try Self.change(#"{"\ud83d/":1}"#, #"{"\ud83e/":1}"#)
        #expect(names == #"{"op":"remove","path":"/\ud83d~1"},{"op":"add","path":"/\ud83e~1","value":1}"#)
        #expect(try Self.change(#"{"a":"A"}"#, #"{"a":"\u0041"}"#) == #"{"op":"replace","path":"/a","value":"\u0041"}"#)
        #expect(try Self.change(#"{"a":1}"#, #"{"\u0061":1}"#) == "", "one name in two spellings")
    }

    @Test("a string of our own has no escape that it does not need, and short ones")
    func written() {
        let text = "\u{1}\u{8}\t\n\u{c}\r\"\\/é\u{1F600}"
        #expect(String(decoding: JSONValue.string(text).write(), as: UTF8.self) == #""\u0001\b\t\n\f\r\"\\/é😀""#)
        #expect(JSONValue.string(text).string == text)
    }

    @Test("of several members with one name in a patch the last counts alone")
    func duplicates() throws {
        #expect(try Self.merged(#"{"a":1}"#, #"{"d":{"e":null},"d":{"f":1}}"#) == #"{"a":1,"d":{"f":1}}"#)
        #expect(try Self.merged(#"{"a":{"x":1}}"#, #"{"a":{"y":2},"a":{"z":3}}"#) == #"{"a":{"x":1,"z":3}}"#)
    }

    @Test("a large patch of a large document takes no time that grows with both")
    func size() throws {
        let members = { (names: Range<Int>) in "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}" }
        let merged = try Self.merged(members(0..<60_000), members(40_000..<100_000))
        #expect(merged == members(0..<100_000))
    }
}
