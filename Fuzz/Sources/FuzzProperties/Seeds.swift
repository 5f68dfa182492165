import Foundation
import GimbalCRDT
import GimbalWire

/// The inputs that fuzzing begins with: the vectors of Specs, and one of each thing that has no vectors.
public enum Seeds {
    /// Writes them into a folder for each target.
    public static func write(vectors: String, into folder: String) {
        for target in FuzzTarget.allCases {
            let place = "\(folder)/\(target.rawValue)"
            try? FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            for (index, seed) in seeds(for: target, vectors).enumerated() {
                let isWritten = FileManager.default.createFile(atPath: "\(place)/seed-\(index)", contents: Data(seed))
                precondition(isWritten, "\(place) can be written to")
            }
        }
    }

    private static func seeds(for target: FuzzTarget, _ vectors: String) -> [[UInt8]] {
        let scene = Scene.shared
        func read(_ names: String...) -> [[UInt8]] { names.flatMap { Self.read("\(vectors)/\($0).json") } }
        switch target {
        case .cbor: return read("operations", "digests", "entries").filter { $0.count < 200 }
        case .operation: return read("operations")
        case .delta: return read("deltas")
        case .exchange:
            return read("entries", "certificates", "checkpoints", "headers") + [scene.page, scene.push.encoded]
                + scene.answers.map(\.encoded) + scene.entries.map(\.encoded)
        case .bundle: return read("bundles") + [Scene.file(scene.bundleItems)]
        case .tamper: return (0..<3).map { [$0, 0, 0] }
        case .request: return RequestProperties.seeds
        case .snapshot: return SnapshotProperties.seeds
        case .path, .json, .patch, .merge, .pivot: return []
        }
    }

    /// The bytes of a file of vectors.
    private static func read(_ path: String) -> [[UInt8]] {
        guard let file = FileManager.default.contents(atPath: path), let list = (try? JSONValue(parsing: Array(file)))?.array
        else { preconditionFailure("\(path) holds vectors") }
        return list.flatMap { vector -> [[UInt8]] in
            let entries = (vector["entries"]?.array ?? []).compactMap(\.string)
            return ([vector["hex"]?.string].compactMap { $0 } + entries).compactMap { Hex.decode($0) }
        }
    }
}
