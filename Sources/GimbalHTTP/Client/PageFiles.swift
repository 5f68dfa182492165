import GimbalCRDT
import GimbalSigning
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore

/// The page at `/` and the files that it is made of, in the program.
enum PageFiles {
    private struct File {
        var bytes: ByteBuffer
        var contentType: String
        var tag: String

        init(_ bytes: [UInt8], _ contentType: String) {
            self.bytes = ByteBuffer(bytes: bytes)
            self.contentType = contentType
            // Weak: what is sent may be compressed.
            tag = "W/\"\(SodiumPrimitives().hash(bytes).hex.prefix(16))\""
        }
    }

    private static let html = "text/html; charset=utf-8"
    private static let script = "text/javascript; charset=utf-8"
    private static let style = "text/css; charset=utf-8"

    private static let index = File(PackageResources.index_html, html)
    private static let parts: [String: File] = [
        "page.css": File(PackageResources.page_css, style),
        "app.js": File(PackageResources.app_js, script),
        "dom.js": File(PackageResources.dom_js, script),
        "format.js": File(PackageResources.format_js, script),
        "json.js": File(PackageResources.json_js, script),
        "jsonview.js": File(PackageResources.jsonview_js, script),
        "net.js": File(PackageResources.net_js, script),
        "keylist.js": File(PackageResources.keylist_js, script),
        "keydetail.js": File(PackageResources.keydetail_js, script),
        "editor.js": File(PackageResources.editor_js, script),
        "fleet.js": File(PackageResources.fleet_js, script),
    ]

    /// Scripts and styles come from this server's files alone, nothing frames the page, and where browsers know Trusted Types no
    /// stored text can become markup.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

    static func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/_gimbal/page/:name") { request, context in
            guard let file = context.parameters.get("name").flatMap({ parts[$0] }) else {
                return refusal(.notFound, "no-route", "there is nothing here")
            }
            return answer(request, file)
        }
    }

    static func page(_ request: Request) -> Response { answer(request, index) }

    private static func answer(_ request: Request, _ file: File) -> Response {
        let headers: HTTPFields = [
            .contentType: file.contentType, .eTag: file.tag, .cacheControl: "no-cache", .contentSecurityPolicy: policy,
            .xContentTypeOptions: "nosniff", .referrerPolicy: "no-referrer",
        ]
        if request.headers[.ifNoneMatch] == file.tag { return Response(status: .notModified, headers: headers) }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: file.bytes))
    }
}

extension HTTPField.Name {
    fileprivate static let referrerPolicy = fixed("Referrer-Policy")
}
