import GimbalStore
import Testing

struct PathFilterTests {
    @Test("what was inserted is never called new again, and what was not is nearly always")
    func insertion() {
        var filter = PathFilter()
        let names = (0..<20_000).map { Array("things/\($0)".utf8)[...] }
        let mistaken = names.filter { filter.insert(PathFilter.hash($0)) }.count
        #expect(mistaken < 10)
        for name in names {
            let wasThere = filter.insert(PathFilter.hash(name))
            #expect(wasThere)
        }
    }
}
