import GimbalWire
import Testing

/// PATCH: what it changes, what it refuses, and that nothing else is touched.
struct JSONMergeTests {
    struct Row: Sendable {
        var document: String
        var patch: String
        /// Of ooo's rule: the result, or what is said.
        var objects: Result<String, JSONMerge.Failure>
        /// Of RFC 7396.
        var mergePatch: String
    }

    private static func row(_ document: String, _ patch: String, _ result: String, _ mergePatch: String? = nil) -> Row {
        Row(document: document, patch: patch, objects: .success(result), mergePatch: mergePatch ?? result)
    }

    private static func refused(
        _ document: String, _ patch: String, _ failure: JSONMerge.Failure, _ mergePatch: String
    ) -> Row {
        Row(document: document, patch: patch, objects: .failure(failure), mergePatch: mergePatch)
    }

    static let rows: [Row] = [
        // Escapes, numbers and spaces stay as they were written, on both sides.
        row(#"{"a":"\ud83d","b":1}"#, #"{"b":2}"#, #"{"a":"\ud83d","b":2}"#),
        row(#"{"\ud800":1,"\ud801":2}"#, #"{"\ud801":3}"#, #"{"\ud800":1,"\ud801":3}"#),
        row(#"{"a":"\n\/\u000a\u0041"}"#, #"{"b":"\r"}"#, #"{"a":"\n\/\u000a\u0041","b":"\r"}"#),
        row(#"{"a":1e400,"b":-0,"c":1.0}"#, #"{"d":1E+2}"#, #"{"a":1e400,"b":-0,"c":1.0,"d":1E+2}"#),
        row(" { \"a\" : [ 1 , 2 ] }\n", #"{"b":{ "c" : 1 }}"#, " { \"a\" : [ 1 , 2 ],\"b\":{ \"c\" : 1 } }\n"),
        row(#"{ }"#, #"{"a":1}"#, #"{"a":1 }"#),
        row(#"{"a":1}"#, #"{}"#, #"{"a":1}"#),
        // One name in two spellings; of several the last counts.
        row(#"{"\u0061":1}"#, #"{"a":2}"#, #"{"\u0061":2}"#),
        row(#"{"a":1,"a":2}"#, #"{"a":3}"#, #"{"a":1,"a":3}"#),
        row(#"{"x":0}"#, #"{"b":1,"c":2,"b":3}"#, #"{"x":0,"c":2,"b":3}"#),
        row(#"{"\ud83d\ude00":1}"#, "{\"\u{1F600}\":2}", #"{"\ud83d\ude00":2}"#),
        // Deep, and into arrays.
        row(#"{"o":{"x":1,"y":[1]}}"#, #"{"o":{"x":2}}"#, #"{"o":{"x":2,"y":[1]}}"#),
        row(#"[1, {"a":1}]"#, #"{"1":{"a":2},"0":"z"}"#, #"["z", {"a":2}]"#, #"{"1":{"a":2},"0":"z"}"#),
        row(#"{"l":[1,2]}"#, #"{"l":{"1":3}}"#, #"{"l":[1,3]}"#, #"{"l":{"1":3}}"#),
        row(#"{"l":[1,2]}"#, #"{"l":[3]}"#, #"{"l":[3]}"#),
        // Null.
        row(#"{"a":1,"b":2}"#, #"{"a":null}"#, #"{"a":null,"b":2}"#, #"{"b":2}"#),
        row(#"{ "a":1 , "b":2 }"#, #"{"b":null,"c":3}"#, #"{ "a":1 , "b":null,"c":3 }"#, #"{ "a":1,"c":3 }"#),
        row(#"{"a":1,"a":2}"#, #"{"a":null}"#, #"{"a":1,"a":null}"#, #"{}"#),
        row(#"{"z":1}"#, #"{"a":{"b":null,"c": [null]}}"#, #"{"z":1,"a":{"b":null,"c": [null]}}"#, #"{"z":1,"a":{"c": [null]}}"#),
        // What does not fit is refused.
        refused(#"{"o":{"x":1}}"#, #"{"o":3}"#, .objectExpected(at: "o"), #"{"o":3}"#),
        refused(#"{"o":{"x":1}}"#, #"{"o":null}"#, .objectExpected(at: "o"), #"{}"#),
        refused(#"{"o":{"x":{}}}"#, #"{"o":{"x":[]}}"#, .objectExpected(at: "o.x"), #"{"o":{"x":[]}}"#),
        refused(#"[1,2]"#, #"{"+1":0}"#, .noElement(at: "+1"), #"{"+1":0}"#),
        refused(#"[1,2]"#, #"{"01":0}"#, .noElement(at: "01"), #"{"01":0}"#),
        refused(#"[1,2]"#, #"{"-0":0}"#, .noElement(at: "-0"), #"{"-0":0}"#),
        refused(#"[1,2]"#, #"{"2":0}"#, .noElement(at: "2"), #"{"2":0}"#),
        refused(#"{"l":[{}]}"#, #"{"l":{"0":1}}"#, .objectExpected(at: "l.0"), #"{"l":{"0":1}}"#),
        refused(#"1"#, #"{"a":1}"#, .nothingToMerge, #"{"a":1}"#),
        refused(#"{"a":1}"#, #"[1]"#, .notAnObject, #"[1]"#),
    ]

    @Test("what a patch makes of a document", arguments: rows.indices)
    func examples(_ index: Int) {
        let row = Self.rows[index]
        let objects = Self.merged(row.document, row.patch, .objects)
        #expect(objects == row.objects, "\(row.document) \(row.patch)")
        #expect(Self.merged(row.document, row.patch, .mergePatch) == .success(row.mergePatch), "\(row.document) \(row.patch)")
    }

    private static func merged(
        _ document: String, _ patch: String, _ rule: JSONMerge.Rule
    ) -> Result<String, JSONMerge.Failure> {
        do throws(JSONMerge.Failure) {
            let merged = try JSONMerge.merge(document: Array(document.utf8), patch: Array(patch.utf8), rule: rule)
            return .success(String(decoding: merged, as: UTF8.self))
        } catch {
            return .failure(error)
        }
    }

    /// Appendix A of RFC 7396.
    static let examplesOfTheRFC = [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, #"null"#, #"null"#), (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ]

    @Test("examples of RFC 7396", arguments: examplesOfTheRFC.indices)
    func mergePatch(_ index: Int) {
        let (document, patch, result) = Self.examplesOfTheRFC[index]
        #expect(Self.merged(document, patch, .mergePatch) == .success(result))
    }

    @Test("of drawn documents the members that a patch does not name stay byte for byte")
    func untouched() throws {
        var random = SplitMix(state: 14)
        for _ in 0..<2_000 {
            let names = ["a", #"\ud83d"#, #"\u0061b"#, "ä", #"\/"#, "last"]
            let members = names.map { ($0, Self.text(&random, depth: 0)) }
            let space = [" ", "", "\n\t"][Int(random.next() % 3)]
            let parts = members.map { "\"\($0.0)\"\(space):\(space)\($0.1)" }
            let document = space + "{" + parts.joined(separator: "\(space),\(space)") + "\(space)}"
            let place = Int(random.next() % UInt64(names.count))
            // An array stands in for whatever is no object.
            let change = #"["\ud83e",1.00]"#
            guard case .success(let merged) = Self.merged(document, "{\"\(names[place])\":\(change)}", .mergePatch) else {
                Issue.record("not merged: \(document)")
                continue
            }
            var expected = parts
            expected[place] = "\"\(names[place])\"\(space):\(space)\(change)"
            #expect(merged == space + "{" + expected.joined(separator: "\(space),\(space)") + "\(space)}")
        }
    }

    private static func text(_ random: inout SplitMix, depth: Int) -> String {
        let choice = Int(random.next() % (depth < 3 ? 8 : 6))
        switch choice {
        case 6: return "[" + (0..<2).map { _ in text(&random, depth: depth + 1) }.joined(separator: " ,") + "]"
        case 7: return "{\"\\n\" :" + text(&random, depth: depth + 1) + ",\"\\n\":" + text(&random, depth: depth + 1) + "}"
        default: return ["1e400", "-0", "1.0", #""\ud83d""#, #""\n\/\u00e9""#, "true"][choice]
        }
    }
}
