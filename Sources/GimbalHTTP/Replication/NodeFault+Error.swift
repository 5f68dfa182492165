import GimbalReplication
import GimbalStore
import GimbalWire

extension NodeFault {
    /// What a person has to know of an error; nil for a pivot that is merely away: that mends itself.
    init?(_ error: any Error) {
        switch error {
        case let error as WireError: self = .badPage(detail: "\(error)")
        case let error as StoreError: self = .local(code: error.code, detail: "\(error)")
        case PivotError.untrusted(let error): self = .badPage(detail: "\(error)")
        case PivotError.refused(let verdict, let detail): self = .refused(verdict, detail: detail)
        case PivotError.leadsSeveral: self = .local(code: "space-needed", detail: "\(error)")
        case PivotError.leadsOthers: self = .local(code: "no-such-space", detail: "\(error)")
        case PivotError.leadsAnotherSpace, PivotError.leadsNoSpace: self = .refused(.wrongSpace, detail: "\(error)")
        case PivotError.status(let refusal)
        where (500..<600).contains(refusal.status) && (refusal.code.hasPrefix("storage-") || refusal.code.hasPrefix("store-")):
            self = .local(code: "pivot-storage", detail: "the pivot's storage does not work: \(refusal.sentence)")
        case PivotError.status(let refusal) where !refusal.isOfServer:
            self = .local(code: "way-refused", detail: refusal.sentence)
        case PivotError.status(let refusal) where (400..<500).contains(refusal.status):
            self = .refused(.wrongSpace, detail: refusal.sentence)
        default: return nil
        }
    }
}
