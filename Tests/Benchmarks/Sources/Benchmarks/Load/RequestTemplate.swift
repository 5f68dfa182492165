/// A request whose bytes are built once; only the key's digits and the value change from one request to the next.
struct RequestTemplate {
    let format: AnswerFormat
    private(set) var bytes: [UInt8]
    private let keyDigits: Range<Int>
    private let valueOffset: Int?

    private init(format: AnswerFormat, beforeKey: String, afterKey: String, hasValue: Bool, afterValue: String = "") {
        self.format = format
        var bytes = Array((beforeKey + Key.prefix).utf8)
        keyDigits = bytes.count..<bytes.count + Key.digitCount
        bytes += [UInt8](repeating: UInt8(ascii: "0"), count: Key.digitCount)
        bytes += Array(afterKey.utf8)
        valueOffset = hasValue ? bytes.count : nil
        if hasValue { bytes += ValueSource.blank }
        bytes += Array(afterValue.utf8)
        self.bytes = bytes
    }

    static let httpGet = RequestTemplate(
        format: .http, beforeKey: "GET /", afterKey: " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", hasValue: false)

    /// Answered from the node's own copy, without asking the pivot.
    static let httpLocalGet = RequestTemplate(
        format: .http, beforeKey: "GET /",
        afterKey: " HTTP/1.1\r\nHost: 127.0.0.1\r\n\(GimbalHeader.readLocal)\r\n\r\n", hasValue: false)

    static let httpPost = RequestTemplate(
        format: .http, beforeKey: "POST /",
        afterKey: " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(ValueSource.length)\r\n\r\n",
        hasValue: true)

    static let redisSet = RequestTemplate(
        format: .redis, beforeKey: "*3\r\n$3\r\nSET\r\n$\(Key.length)\r\n", afterKey: "\r\n$\(ValueSource.length)\r\n",
        hasValue: true, afterValue: "\r\n")

    mutating func prepare(key: Int, values: inout ValueSource) {
        writeDecimal(key, over: keyDigits, of: &bytes)
        if let valueOffset { values.write(to: &bytes, at: valueOffset) }
    }
}
