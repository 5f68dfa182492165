import GimbalCRDT
import GimbalHTTP
import Laws
import Testing

/// The order of a list in chunks is the order of a sorted array.
struct ListOrderTests {
    @Test("every insertion and removal has the index that a sorted array gives it", arguments: [0, 1, 1_500])
    func model(size: Int) throws {
        var random = SeededRandom(seed: UInt64(size) + 1)
        func key(_ number: UInt64) throws -> KeyPlace {
            // Many keys share a time, so that the path decides.
            KeyPlace(created: number % 97, path: try #require(Path("things/\(number)")))
        }
        var keys = try (0..<UInt64(size)).map { try key($0 * 2) }
        var order = ListOrder(keys.shuffled(using: &random))
        keys.sort()
        for _ in 0..<1_500 {
            let one = try key(UInt64.random(in: 0..<3_000, using: &random))
            let place = keys.firstIndex { $0 >= one } ?? keys.count
            let isThere = place < keys.count && keys[place] == one
            #expect(order.index(of: one) == (isThere ? place : nil))
            let removed = order.remove(one)
            #expect(removed == (isThere ? place : nil))
            if isThere {
                keys.remove(at: place)
            } else {
                let inserted = order.insert(one)
                #expect(inserted == place)
                keys.insert(one, at: place)
            }
            #expect(order.count == keys.count)
        }
        #expect(Array(order.keys) == keys)
    }

    @Test("a list that loses its last key takes new ones")
    func emptied() throws {
        let one = KeyPlace(created: 1, path: try #require(Path("things/1")))
        var order = ListOrder([one])
        let removed = order.remove(one)
        #expect(removed == 0 && order.count == 0 && order.index(of: one) == nil)
        let inserted = order.insert(one)
        #expect(inserted == 0 && Array(order.keys) == [one])
    }
}
