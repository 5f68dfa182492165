import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import NIOCore
import NIOHTTP1
import NIOPosix

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
    /// What a body means that is a patch; nil for a kind of patch that is not known here.
    var patchRule: JSONMerge.Rule? = .objects
}

/// What the Content-Type of a PATCH says.
enum PatchType {
    /// Of which kinds a patch may be, for `Accept-Patch` (RFC 5789 §3.1).
    static let accepted = "application/json, application/merge-patch+json"

    /// Types that name another kind of patch are refused; all others, and none, are what ooo's clients send.
    static func rule(_ contentType: String?) -> JSONMerge.Rule? {
        let name = contentType?.prefix { $0 != ";" }.lowercased() ?? ""
        if name.split(whereSeparator: \.isWhitespace) == ["application/merge-patch+json"] { return .mergePatch }
        return name.contains("patch") ? nil : .objects
    }
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
    let hub: SubscriptionHub
    /// How long a read waits for its pivot.
    let readDeadline: TimeAmount
    let ahead = ListAhead()
    let deletions = Turnstile()

    static let maximumBodyBytes = Limits.hardMaximumValueBytes
    /// Up to here a body costs less than the questions whether it may be so large and who shall look at it.
    static let smallBodyBytes = 64 << 10

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
                guard let rule = request.patchRule else { return completion(Self.unknownPatch) }
                withBody(of: request, at: path, completion) {
                    write(.patch(path, patch: $0, rule: rule), at: path, completion)
                }
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

    static func tooLarge(_ limit: Int) -> KeyAnswer {
        .failure(413, "too-large", "a value of this space has at most \(limit) bytes (valueBytes)")
    }
    static let unknownPatch = KeyAnswer.failure(415, "unknown-patch", "a patch is of one of the types \(PatchType.accepted)")
    static let badPage = KeyAnswer.failure(400, "bad-page", "limit is a number from 1, cursor what the last page named")

    /// How many bytes a body for this target may have: what its space says.
    func bodyLimit(_ target: [UInt8]) -> Int {
        var target = target
        if target.last == UInt8(ascii: "*") { target[target.count - 1] = UInt8(ascii: "0") }
        // What has no path is refused whatever its body is.
        return Path(target).map { bodyLimit(at: $0) } ?? Self.smallBodyBytes
    }

    private func bodyLimit(at path: Path) -> Int {
        let store = host.home(of: path).store
        return store.isReady ? store.records.settings.limits.valueBytes : Self.maximumBodyBytes
    }

    /// Calls `then` with a body that is JSON and not too large for its space, at once for a small one; others are read by a
    /// thread that keeps no connection waiting.
    private func withBody(
        of request: KeyRequest, at path: Path, _ completion: @escaping @Sendable (KeyAnswer) -> Void,
        _ then: @escaping @Sendable ([UInt8]) -> Void
    ) {
        let count = request.body?.readableBytes ?? 0
        guard count > Self.smallBodyBytes else { return Self.validate(request.body, completion, then) }
        let limit = bodyLimit(at: path)
        guard count <= limit else { return completion(Self.tooLarge(limit)) }
        NIOThreadPool.singleton.submit { _ in Self.validate(request.body, completion, then) }
    }

    private static func validate(
        _ body: ByteBuffer?, _ completion: @Sendable (KeyAnswer) -> Void, _ then: @Sendable ([UInt8]) -> Void
    ) {
        let bytes = body.map { [UInt8](buffer: $0) } ?? []
        do throws(JSONError) {
            try JSONText.validate(bytes.span)
        } catch {
            return completion(.failure(400, error.code.rawValue, error.code == .end ? "EOF" : error.description))
        }
        then(bytes)
    }

    // MARK: Reads

    private func read(
        _ request: KeyRequest, _ timers: any EventLoop, _ completion: @escaping @Sendable (KeyAnswer) -> Void
    ) {
        withPath(request, completion) { path in
            serve(path, request.preference, timers) { served in
                switch served {
                case .home(let home, let freshness): completion(read(path, home.store, freshness))
                case .refusal(let answer): completion(answer)
                }
            }
        }
    }

    /// Where a read of a path is answered from.
    enum Served: Sendable {
        case home(SpaceHost.Replicated, Freshness)
        case refusal(KeyAnswer)
    }

    /// Finds the space of a path and brings it up to date, within the deadline.
    ///
    /// - Parameter deadline: of a read that has waited already.
    func serve(
        _ path: Path, _ preference: ReadPreference, _ timers: any EventLoop, until deadline: NIODeadline? = nil,
        _ then: @escaping @Sendable (Served) -> Void
    ) {
        let home = host.home(of: path)
        guard let source = home.freshness, preference != .local else {
            guard home.store.isReady else { return then(.refusal(Self.notReady(home))) }
            return then(.home(home, home.freshness == nil ? .pivot : .local))
        }
        let deadline = deadline ?? .now() + readDeadline
        refresh(source, until: deadline, timers) { freshness in
            // What was waited for may have made another space of it.
            let home = host.home(of: path)
            guard home.freshness === source || NIODeadline.now() >= deadline else {
                return serve(path, preference, timers, until: deadline, then)
            }
            guard home.store.isReady else { return then(.refusal(Self.notReady(home))) }
            if preference == .latest, freshness == .local { return then(.refusal(Self.pivotAway)) }
            then(.home(home, freshness))
        }
    }

    /// Why a space that is not ready does not answer.
    static func notReady(_ home: SpaceHost.Replicated) -> KeyAnswer {
        answer(home.store.isUnavailable ? .unavailable : .notReady)
    }

    static let pivotAway = KeyAnswer.failure(503, "pivot-away", "the pivot cannot be asked and the request wants its state")

    /// Brings the copy up to date, within the deadline.
    func refresh(
        _ home: SpaceHost.Replicated, _ preference: ReadPreference, until deadline: NIODeadline? = nil, _ timers: any EventLoop,
        then: @escaping @Sendable (Freshness) -> Void
    ) {
        guard let source = home.freshness else { return then(.pivot) }
        guard preference != .local else { return then(.local) }
        refresh(source, until: deadline ?? .now() + readDeadline, timers, then: then)
    }

    private func refresh(
        _ source: any FreshnessSource, until deadline: NIODeadline, _ timers: any EventLoop,
        then: @escaping @Sendable (Freshness) -> Void
    ) {
        let once = Once(then)
        let timer = timers.scheduleTask(deadline: deadline) { once.call(.local) }
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
                withBody(of: request, at: path, completion) { write(.set(path, value: $0), at: path, completion) }
            }
        }
        var base = request
        base.target.removeLast(2)
        withPath(base, completion) { collection in
            guard let example = Path(collection.bytes + Array("/0".utf8)) else {
                return completion(Self.answer(.tooLongPath))
            }
            withBody(of: request, at: example, completion) {
                write(.push(base: collection, value: $0), at: example, completion)
            }
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
            case .failure(.patchMismatch): completion(mismatch(action, at: path))
            case .failure(let failure):
                completion(Self.answer(failure, isDelete: isDelete))
            }
        }
    }

    /// Says where a patch did not fit, by what stands there now.
    private func mismatch(_ action: WriteRequest.Action, at path: Path) -> KeyAnswer {
        var answer = Self.answer(.patchMismatch)
        guard case .patch(_, let patch, let rule) = action, let entry = try? host.home(of: path).store.visible(path) else {
            return answer
        }
        do throws(JSONMerge.Failure) {
            _ = try JSONMerge.merge(document: entry.value, patch: patch, rule: rule)
        } catch {
            answer.content = .bytes(ByteBuffer(string: error.description))
        }
        return answer
    }

    static func answer(_ failure: WriteFailure, isDelete: Bool = false) -> KeyAnswer {
        let (status, sentence): (Int, String) =
            switch failure {
            case .notFound: (404, isDelete ? "storage: not found" : "ooo: not found")
            case .badPatch: (400, JSONMerge.Failure.notAnObject.description)
            case .patchMismatch: (400, "merge: the patch does not fit the value that is there")
            case .tooLarge: (413, "the value is larger than the space allows")
            case .outsideSpace: (400, "ooo: key is not valid: the path belongs to no space of this server")
            case .tooLongPath: (400, "ooo: key is not valid: with the index that a push adds it is longer than 512 bytes")
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
