import GimbalCRDT
import GimbalReplication
import GimbalStore
import Testing

func path(_ text: String) throws -> Path { try #require(Path(text)) }

func set(_ store: any SpaceStore, _ key: String, _ value: String) async throws {
    _ = try await store.write(.set(try path(key), value: Array(value.utf8))).get()
}

func value(_ store: any SpaceStore, _ key: String) throws -> String? {
    try store.visible(try path(key)).map { String(decoding: $0.value, as: UTF8.self) }
}
