import Foundation
import GimbalSigning
import Testing
import TestFiles

struct KeyFileTests {
    @Test("a key file that anybody else can touch is refused, whichever bit it is, and read once it is closed again")
    func modes() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/node.key"
        let key = SigningKey.generate()
        try KeyFile.create(path, key)
        let made = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(made == 0o600)
        for bit in 0..<6 {
            let mode = 0o600 | 1 << bit
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            #expect(throws: KeyFile.Failure.exposed(path: path, mode: String(mode, radix: 8))) { try KeyFile.read(path) }
        }
        for mode in [0o600, 0o400] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            #expect(try KeyFile.read(path).author == key.author)
        }
    }

    @Test("a key is never written over another file, and what is no key is refused")
    func contents() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/pivot.key"
        let (first, isNew) = try KeyFile.readOrCreate(path)
        #expect(isNew)
        let (again, isNewAgain) = try KeyFile.readOrCreate(path)
        #expect(!isNewAgain && again.author == first.author)
        #expect { try KeyFile.create(path, SigningKey.generate()) } throws: {
            ($0 as? KeyFile.Failure)?.code == "key-not-writable"
        }
        #expect(try KeyFile.read(path).author == first.author)

        let text = try String(contentsOfFile: path, encoding: .utf8)
        let title = text.prefix { $0 != "\n" }
        for broken in [
            "\(title)\n", "\(title)\nabc\n", text + "more\n", text.replacing("key 1", with: "key 2"), "\(text.dropLast(3))\n",
        ] {
            try Data(broken.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            #expect(throws: KeyFile.Failure.notAKey(path: path)) { try KeyFile.read(path) }
        }
    }
}
