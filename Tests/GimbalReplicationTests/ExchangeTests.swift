import GimbalCRDT
import GimbalReplication
import GimbalWire
import Testing

@Suite("What a node says to its pivot, and when")
struct ExchangeTests {
    /// Started, its certificate asked for.
    private func began() -> Talk {
        var talk = Talk()
        talk.take(.started)
        return talk
    }

    private func following(at position: UInt64 = 0) -> Talk {
        var talk = began()
        talk.node.cursor = position == 0 ? .start : Talk.place(position)
        talk.follow(from: position)
        // The question for people.
        talk.reply(Talk.answer(.current, at: position)) { $0 == .place }
        return talk
    }

    @Test("certificate, join, log: in this order, and the core learns where it was admitted")
    func order() {
        var talk = began()
        #expect(talk.open.map(\.request) == [.certificate])
        talk.reply(.certified) { $0 == .certificate }
        #expect(talk.open.map(\.request) == [.join])
        talk.reply(Talk.answer(.accepted, at: 5)) { $0 == .join }
        guard case .joined(let place)? = talk.fed.first else { Issue.record("the core is told"); return }
        #expect(place == Talk.place(5))
        #expect(talk.open.map(\.request) == [.log(.start, ownIncarnation: 7)])
        #expect(!talk.exchange.standing.isFollowing)
        talk.reply(.stream, to: \.isLog)
        #expect(talk.exchange.standing.isFollowing)
    }

    @Test("waits grow while nothing answers, and begin anew once a stream was open (found.md E F2)")
    func waits() {
        var talk = began()
        var slept: [UInt64] = []
        for _ in 0..<8 {
            talk.fail(.unanswered) { $0 == .certificate }
            slept.append(talk.sleep())
        }
        #expect(slept[0] <= 200 && slept[7] > 2_400 && slept.allSatisfy { $0 <= 5_000 })
        for _ in 0..<20 {
            talk.follow()
            talk.reply(Talk.answer(.current)) { $0 == .place }
            talk.fail(.unanswered, \.isLog)
            #expect(!talk.exchange.standing.isFollowing)
            #expect(talk.sleep() <= 200, "a cut after success is answered at once, however many came before")
        }
    }

    @Test("what the other side asks for counts, if it is longer")
    func retryAfter() {
        var talk = began()
        let busy = Exchange.Refusal(status: 503, code: "", sentence: "busy", retryAfter: .seconds(40))
        talk.fail(.refused(busy)) { $0 == .certificate }
        #expect(talk.exchange.standing.fault?.code == "way-refused")
        #expect(talk.sleep() == 40_000)
        talk.follow()
        #expect(talk.exchange.standing.fault == nil, "it works again")
    }

    @Test("a log that does not go back far enough is replaced by a snapshot, and then followed")
    func snapshot() {
        var talk = began()
        talk.reply(.certified) { $0 == .certificate }
        talk.reply(Talk.answer(.accepted, at: 5_000)) { $0 == .join }
        talk.reply(Talk.answer(.gone, at: 5_000), to: \.isLog)
        #expect(talk.open.map(\.request) == [.snapshot])
        talk.node.cursor = Talk.place(5_000)
        talk.reply(.installed) { $0 == .snapshot }
        #expect(talk.sleep() <= 200)
        talk.follow(from: 5_000)
        #expect(talk.exchange.standing.isFollowing && talk.exchange.standing.fault == nil)
    }

    @Test("a pivot that lacks what this node has is no pivot that refuses it", arguments: [Answer.Verdict.refill, .notAMember])
    func refused(verdict: Answer.Verdict) {
        var talk = began()
        talk.reply(.certified) { $0 == .certificate }
        talk.reply(Talk.answer(.accepted)) { $0 == .join }
        talk.reply(Talk.answer(verdict), to: \.isLog)
        #expect(talk.exchange.standing.fault?.code == (verdict == .refill ? "pivot-lost" : "not-a-member"))
    }

    @Test("an answer to what was given up changes nothing")
    func late() throws {
        var talk = following()
        let stream = try #require(talk.request(where: \.isLog))
        talk.take(.follow(withOwnBodies: true))
        #expect(talk.request(where: \.isLog) == nil && !talk.exchange.standing.isFollowing)
        talk.take(.ended(stream))
        talk.take(.failed(stream, .unanswered))
        #expect(talk.directives.isEmpty)
        _ = talk.sleep()
        talk.follow()
        let asked = Exchange.Request.log(.start, ownIncarnation: nil)
        #expect(talk.open.map(\.request).contains(asked), "in doubt, own deltas come with their bodies")
    }

    // MARK: Reads

    @Test("a read is served by a question that was sent after it, and all that wait share one")
    func questions() {
        var talk = following()
        talk.take(.read(1))
        #expect(talk.open.filter { $0.request == .place }.count == 1)
        talk.take(.read(2))
        talk.take(.read(3))
        #expect(talk.open.filter { $0.request == .place }.count == 1)
        talk.reply(Talk.answer(.current, at: 4)) { $0 == .place }
        #expect(talk.answered == [[1]])
        talk.reply(Talk.answer(.current, at: 6)) { $0 == .place }
        #expect(talk.answered == [[2, 3]])
        #expect(talk.request { $0 == .place } == nil)
    }

    @Test("while a pivot is known to be away reads do not wait for it")
    func away() {
        var talk = began()
        talk.fail(.unanswered) { $0 == .certificate }
        talk.take(.read(1))
        talk.fail(.unanswered) { $0 == .place }
        #expect(talk.local == [[1]])
        talk.take(.read(2))
        #expect(talk.local == [[2]] && talk.request { $0 == .place } == nil)
        talk.now += 10_000
        talk.take(.read(3))
        #expect(talk.request { $0 == .place } != nil, "it is asked again in time")
        talk.now += 2_000
        talk.take(.read(4))
        #expect(talk.local == [[4]], "nobody joins a question that is old while no stream is open")
    }

    @Test("a node whose log its pivot does not serve answers reads from its copy")
    func unserved() {
        var talk = following()
        talk.node.fault = .badPage(detail: "")
        talk.take(.read(1))
        talk.reply(Talk.answer(.current, at: 4)) { $0 == .place }
        #expect(talk.local == [[1]])
    }

    // MARK: Faults of the stream

    @Test("a damaged page stays shown until a page is right, or the pivot signs that there is none to come (found.md C11)")
    func damagedPage() {
        var talk = following(at: 3)
        talk.fail(.fault(.badPage(detail: "damaged")), \.isLog)
        #expect(talk.exchange.standing.fault?.code == "bad-page")
        _ = talk.sleep()
        talk.follow(from: 4)
        #expect(talk.exchange.standing.fault?.code == "bad-page", "a stream that opens proves nothing")
        talk.node.cursor = Talk.place(4)
        talk.reply(Talk.answer(.current, at: 4)) { $0 == .place }
        #expect(talk.exchange.standing.fault == nil)
    }

    // MARK: Pushes

    @Test("what is too large together goes in parts at once; alone it is a fault, tried again with growing pauses")
    func tooLarge() {
        var talk = following()
        let refusal = Exchange.Refusal(status: 413, code: "", sentence: "413", retryAfter: nil)
        talk.take(.push(number: 1, deltas: 2))
        talk.fail(.refused(refusal), \.isPush)
        #expect(talk.exchange.standing.pushFault == nil && talk.alarm.map { $0 > talk.now + 5_000 } ?? true)
        guard case .pushFailed(1, true)? = talk.fed.first else { Issue.record("the core makes smaller ones"); return }
        var pauses: [UInt64] = []
        for number in 2...9 {
            talk.take(.push(number: UInt64(number), deltas: 1))
            let begin = talk.now
            talk.fail(.refused(refusal), \.isPush)
            #expect(talk.exchange.standing.pushFault?.code == "push-refused")
            while !talk.fed.contains(where: { if case .retryPush = $0 { true } else { false } }) {
                _ = talk.sleep()
                talk.reply(Talk.answer(.current)) { $0 == .place }
            }
            pauses.append(talk.now - begin)
        }
        #expect(pauses[0] <= 1_000 && pauses[7] > 25_000 && pauses.allSatisfy { $0 <= 60_000 })
        talk.take(.push(number: 10, deltas: 1))
        talk.reply(Talk.answer(.accepted), to: \.isPush)
        #expect(talk.exchange.standing.pushFault == nil)
    }

    // MARK: Triggers

    @Test("a trigger ends a wait, counts once a second, and lets a stream that brings nothing be opened again")
    func triggers() {
        var talk = began()
        talk.fail(.unanswered) { $0 == .certificate }
        talk.take(.triggered)
        #expect(talk.request { $0 == .certificate } != nil)
        talk.fail(.unanswered) { $0 == .certificate }
        talk.take(.triggered)
        #expect(talk.request { $0 == .certificate } == nil, "the second within a second")
        _ = talk.sleep()
        talk.follow()
        talk.reply(Talk.answer(.current)) { $0 == .place }
        talk.now += 1_000
        talk.take(.triggered)
        talk.reply(Talk.answer(.current, at: 9)) { $0 == .place }
        #expect(talk.request(where: \.isLog) != nil)
        _ = talk.sleep()
        #expect(talk.request(where: \.isLog) == nil && talk.request { $0 == .certificate } != nil, "the stream was dead")
    }

    // MARK: Doubt

    @Test("the log's end is asked for until it is known")
    func investigation() {
        var talk = following()
        talk.take(.investigate)
        talk.fail(.unanswered) { $0 == .place }
        #expect(talk.fed.isEmpty)
        while talk.request(where: { $0 == .place }) == nil { _ = talk.sleep() }
        talk.reply(Talk.answer(.current, at: 8)) { $0 == .place }
        guard case .investigate(let place)? = talk.fed.first else { Issue.record("the core is told"); return }
        #expect(place == Talk.place(8))
    }
}

extension Talk {
    /// Reads that are answered when a place is reached, and those that are answered from the copy.
    fileprivate var answered: [[Exchange.ReadID]] {
        directives.compactMap { if case .answer(let reads, _) = $0 { reads } else { nil } }
    }

    fileprivate var local: [[Exchange.ReadID]] {
        directives.compactMap { if case .answerFromCopy(let reads) = $0 { reads } else { nil } }
    }
}
