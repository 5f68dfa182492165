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
        case PivotError.status(let refusal): self.init(refusal.refusal)
        default: return nil
        }
    }
}
