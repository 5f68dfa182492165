import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import NIOCore
import NIOHTTP1

/// What a client wants of one key.
struct KeyRequest: Sendable {
    enum Method: Sendable {
        case get, post, patch, delete

        var inHTTP: HTTPMethod {
            switch self {
            case .get: .GET
            case .post: .POST
            case .patch: .PATCH
            case .delete: .DELETE
            }
        }
    }

    var method: Method
    /// As in the URL, without the slash before it.
    var target: [UInt8]
    var body: ByteBuffer?
    var preference: ReadPreference = .fresh
}

/// What a client gets. `errorCode` is stable, for machines; the body of an error is for people.
struct KeyAnswer: Sendable {
    var status: Int
    var errorCode: String?
    var freshness: Freshness?
    var content = Content.none

    enum Content: Sendable {
        case none
        case bytes(ByteBuffer)
        /// What a write says of the key it wrote, put into bytes by who sends it: the space's writer has better things to do.
        case index(of: Path)
    }

    /// Made anew each time for `.index`: ask once.
    var body: ByteBuffer? {
        switch content {
        case .none: return nil
        case .bytes(let bytes): return bytes
        case .index(let path):
            let index = path.indexBytes
            var bytes = ByteBuffer()
            bytes.reserveCapacity(index.count + 12)
            bytes.writeStaticString("{\"index\":\"")
            bytes.writeBytes(index)
            bytes.writeStaticString("\"}")
            return bytes
        }
    }

    static func failure(_ status: Int, _ code: String, _ sentence: String) -> KeyAnswer {
        KeyAnswer(status: status, errorCode: code, content: .bytes(ByteBuffer(string: sentence)))
    }
}

/// Answers requests on single keys, the same for the lean path and for Hummingbird's routes.
struct KeyService: Sendable {
    let host: SpaceHost
    /// How long a read waits for its pivot.
    let readDeadline: TimeAmount
    let ahead = ListAhead()

    static let maximumBodyBytes = Limits.hardMaximumValueBytes

    /// Calls `completion` once: at once for a read of what is here, else from any thread.
    ///
    /// - Parameter timers: the loop whose clock bounds the wait for a pivot.
    func answer(
        _ request: KeyRequest, timers: any EventLoop, completion: @escaping @Sendable (KeyAnswer) -> Void
    ) {
        switch request.method {
        case .get: read(request, timers, completion)
        case .post: post(request, completion)
        case .patch:
            withPath(request, completion) { path in
                guard let body = body(of: request, completion) else { return }
                write(.patch(path, patch: body), at: path, completion)
            }
        case .delete:
            withPath(request, completion) { path in write(.delete(path), at: path, completion) }
        }
    }

    // MARK: Paths and bodies

    private func withPath(
        _ request: KeyRequest, _ completion: (KeyAnswer) -> Void, _ body: (Path) -> Void
    ) {
        guard let path = Path(request.target) else { return completion(Self.invalidPath) }
        guard !path.isReserved else { return completion(Self.reservedPath) }
        body(path)
    }

    static let invalidPath = KeyAnswer.failure(400, "invalid-path", "ooo: key is not valid")
    static let reservedPath = KeyAnswer.failure(
        400, "reserved-path", "ooo: key is not valid: a path that begins with _ is a space's own record")

    static let tooLarge = KeyAnswer.failure(413, "too-large", "a body has at most \(maximumBodyBytes) bytes")
    static let badPage = KeyAnswer.failure(400, "bad-page", "limit is a number from 1, cursor what the last page named")

    private func body(of request: KeyRequest, _ completion: (KeyAnswer) -> Void) -> [UInt8]? {
        let bytes = request.body.map { [UInt8](buffer: $0) } ?? []
        do throws(JSONError) {
            try JSONText.validate(bytes.span)
            return bytes
        } catch {
            completion(.failure(400, error.code.rawValue, error.code == .end ? "EOF" : error.description))
            return nil
        }
    }

    // MARK: Reads

    private func read(
        _ request: KeyRequest, _ timers: any EventLoop, _ completion: @escaping @Sendable (KeyAnswer) -> Void
    ) {
        withPath(request, completion) { path in
            let home = host.home(of: path)
            guard home.store.isReady else { return completion(Self.notReady(home)) }
            refresh(home, request.preference, timers) { freshness in
                if request.preference == .latest, freshness == .local { return completion(Self.pivotAway) }
                completion(read(path, home.store, freshness))
            }
        }
    }

    /// Why a space that is not ready does not answer.
    static func notReady(_ home: SpaceHost.Replicated) -> KeyAnswer {
        answer(home.store.isUnavailable ? .unavailable : .notReady)
    }

    static let pivotAway = KeyAnswer.failure(503, "pivot-away", "the pivot cannot be asked and the request wants its state")

    /// Brings the copy up to date, within the deadline.
    func refresh(
        _ home: SpaceHost.Replicated, _ preference: ReadPreference, _ timers: any EventLoop,
        then: @escaping @Sendable (Freshness) -> Void
    ) {
        guard let source = home.freshness else { return then(.pivot) }
        guard preference != .local else { return then(.local) }
        let once = Once(then)
        let timer = timers.scheduleTask(in: readDeadline) { once.call(.local) }
        source.refresh { freshness in
            timer.cancel()
            once.call(freshness)
        }
    }

    private func read(_ path: Path, _ store: any SpaceStore, _ freshness: Freshness) -> KeyAnswer {
        do throws(StoreError) {
            guard let entry = try store.visible(path) else {
                var answer = KeyAnswer.failure(404, "not-found", "ooo: empty key")
                answer.freshness = freshness
                return answer
            }
            var body = ByteBuffer()
            body.reserveCapacity(MetaObject.size(entry))
            MetaObject.write(entry, to: &body)
            return KeyAnswer(status: 200, freshness: freshness, content: .bytes(body))
        } catch {
            return .failure(error.statusCode, error.code, error.description)
        }
    }

    // MARK: Writes

    private func post(_ request: KeyRequest, _ completion: @escaping @Sendable (KeyAnswer) -> Void) {
        guard request.target.suffix(2).elementsEqual("/*".utf8) else {
            return withPath(request, completion) { path in
                guard let value = body(of: request, completion) else { return }
                write(.set(path, value: value), at: path, completion)
            }
        }
        var base = request
        base.target.removeLast(2)
        withPath(base, completion) { collection in
            guard let value = body(of: request, completion) else { return }
            guard let example = Path(collection.bytes + Array("/0".utf8)) else { return completion(Self.invalidPath) }
            write(.push(base: collection, value: value), at: example, completion)
        }
    }

    private func write(
        _ action: WriteRequest.Action, at path: Path, _ completion: @escaping @Sendable (KeyAnswer) -> Void
    ) {
        let isDelete = if case .delete = action { true } else { false }
        host.home(of: path).store.submit(action) { result in
            switch result {
            case .success(let written):
                completion(isDelete ? KeyAnswer(status: 204) : KeyAnswer(status: 200, content: .index(of: written.path)))
            case .failure(let failure):
                completion(Self.answer(failure, isDelete: isDelete))
            }
        }
    }

    static func answer(_ failure: WriteFailure, isDelete: Bool = false) -> KeyAnswer {
        let (status, sentence): (Int, String) =
            switch failure {
            case .notFound: (404, isDelete ? "storage: not found" : "ooo: not found")
            case .badPatch: (400, "json: a patch must be an object")
            case .tooLarge: (413, "the value is larger than the space allows")
            case .outsideSpace: (400, "ooo: key is not valid: the path belongs to no space of this server")
            case .forbidden: (403, "this server may not write that path")
            case .notReady: (503, "the first copy of the space is not here yet")
            case .unavailable: (503, "the space of that path cannot be opened here: its operator has to see to it")
            case .storageFull: (507, "no space left on the disk: nothing was stored")
            case .storageFailed: (500, "the storage failed: nothing was stored")
            case .outcomeUnknown: (500, "the storage failed while it was storing: whether it is stored is not known")
            case .closed: (503, "the server is stopping")
            case .clockExhausted: (500, "the range of stamps is used up")
            }
        return .failure(status, failure.rawValue, sentence)
    }
}
