/// Writes `number` in decimal over the whole of `digits`, zeros first; digits that do not fit are dropped.
func writeDecimal(_ number: Int, over digits: Range<Int>, of bytes: inout [UInt8]) {
    var rest = number
    for index in digits.reversed() {
        bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
    }
}
