import GimbalStorage
import GimbalStore
import HTTPTypes
import Hummingbird

/// What a request is answered that met a storage which does not work. That something is not there is never said on its account.
extension StoreError: HTTPResponseError {
    var statusCode: Int {
        switch self {
        case .storage(.corrupt), .damaged, .newerFormat, .anotherSpace: 500
        // It may work again in a moment.
        case .storage: 503
        }
    }

    public var status: HTTPResponse.Status { .init(code: statusCode) }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        refusal(status, code, description)
    }
}
