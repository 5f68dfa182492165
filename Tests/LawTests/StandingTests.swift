import GimbalReplication
import Testing

struct StandingTests {
    private func fault(_ code: String) -> NodeFault { .local(code: code, detail: "") }

    @Test("of several faults the one is shown that keeps others from being mended, and only the storage's takes readiness")
    func precedence() {
        let (process, storage) = (fault("spaces-overlap"), fault("storage-full"))
        let (replication, proof) = (fault("pivot-lost"), fault("unproven"))
        #expect(Standing(.serving) == Standing(.serving))
        #expect(Standing(.serving).isReady && Standing(.serving).fault == nil)
        let all = Standing(.serving, process: process, storage: storage, replication: replication, proof: proof)
        #expect(all.fault == storage && !all.isReady)
        let rest = Standing(.serving, process: process, replication: replication, proof: proof)
        #expect(rest.fault == process && rest.isReady)
        #expect(Standing(.serving, replication: replication, proof: proof).fault == replication)
        #expect(Standing(.serving, proof: proof).fault == proof)
        #expect(Standing(.awaited, replication: replication) == Standing(.awaited, replication: replication))
        #expect(!Standing(.awaited).isReady)
        let unavailable = Standing(.unavailable, process: process, storage: storage)
        #expect(unavailable.fault == process && !unavailable.isReady)
    }
}
