#!/usr/bin/env python3
"""Requests in every shape that clients of the field give them, at a real server: check_shapes.py BINARIES"""

import http.client
import json
import sys
import time

from fleet import Fleet
from member import Member
from raw import Raw, ask, get, handshake, post

KEYS = ["/things/0", "/things/0?x=1", "/things/0?siblings=1", "/things/*", "/things/*?limit=1", "/none/0", "/things/%2f"]
OWN = ["/", "/?api=keys", "/?api=info", "/metrics", "/_gimbal/page/app.js", "/_gimbal/page/page.css", "/_health/live",
       "/_health/ready", "/_pivot/version", "/_pivot/health/nodes", "/_pivot/v1/spaces", "/_gimbal/status", "/_gimbal/members",
       "/_gimbal/outbox", "/_gimbal/deadletters", "/_gimbal/explain?key=things/0", "/_gimbal/export?pattern=**", "/_gimbal/none"]


def spellings(pivot):
    """A path means the same however its characters are spelled, on every route; what no path has is refused (RFC 3986 §6.2.2)."""
    ask(pivot, post("/things/lamp", '{"a":1}'))
    for target in ["/things/*", "/things/%2A", "/things/%2a", "/thing%73/*", "/things/%2A?limit=5"]:
        answer = ask(pivot, get(target))
        assert answer.status == 200 and "lamp" in answer.body.decode(), (target, answer.head)
    for target in ["/things/%6Camp", "/things/l%61mp?x=1", "/%74hings/lamp"]:
        assert json.loads(ask(pivot, get(target)).body)["path"] == "things/lamp", target
    for target in ["/_health/%6Cive", "/_pivot/%76ersion", "/%5Fgimbal/status", "/metric%73", "/_gimbal/page/app%2Ejs"]:
        assert ask(pivot, get(target)).status == 200, target
    assert ask(pivot, post("/things/%2A", "1")).status == 200
    assert ask(pivot, post("/things/l%61mp", '{"b":2}', method="PATCH")).status == 200
    assert ask(pivot, get("/things/l%61mp", method="DELETE")).status == 204
    assert ask(pivot, handshake("/things/%2A")).status == 101
    # The query is not the path's: %2A in it is for whoever reads the query.
    assert ask(pivot, get("/_gimbal/export?pattern=things/%2A")).status == 200
    refused = ["/things%2Flamp", "/things/lamp%00", "/things/%zz", "/things/lamp%", "/things/%252A", "/things/%C3%A9",
               "/%2e%2e/x", "/things/a%20b", "//things/a", "/things//a", "//_gimbal/status?x=1", "/_gimbal//status",
               "/things/0#x"]
    for target in refused:
        for request in [get(target), post(target, "1"), post(target, "{}", method="PATCH"), get(target, method="DELETE"),
                        handshake(target), get(target + "?x=1")]:
            answer = ask(pivot, request)
            assert (answer.status, answer["Gimbal-Error"]) == (400, "invalid-path"), (request, answer.head)
    for target in ["/%5Fsettings", "/%5Fgimbal/none"]:
        assert ask(pivot, get(target)).status == 404, target
        assert ask(pivot, handshake(target)).status == 400, target
    # A target that names its server, as proxies are told (RFC 9112 §3.2.2).
    for target in ["http://h/_pivot/version", "HTTP://h:80/_pivot/version?x=1"]:
        assert ask(pivot, get(target)).status == 200, target
    assert ask(pivot, get("http://h")).body.startswith(b"<!")
    for target in ["things/0", "*", "http://", "http://a b/", "http://u@h/", "ftp://h/x"]:
        assert ask(pivot, get(target)).status == 400, target
    print("paths: one meaning for each spelling, and odd ones refused")


def signatures(fleet):
    """What is signed is the path without escapes, as it is read: a proxy may spell it anew, and nobody can change it by that."""
    pivot = fleet.servers[0]
    member = Member(pivot)
    member.join()
    path = f"{member.base}/place"
    spelled = path.replace("place", "%70lace").replace("/_pivot", "/%5Fpivot")

    def status(method, target, signed_method, signed_path):
        lines = "".join(f"{name}: {value}\r\n" for name, value in member.headers(signed_method, signed_path).items())
        return ask(pivot, get(target, lines, method=method), is_head=method == "HEAD").status

    assert status("GET", spelled, "GET", path) == 200
    assert status("GET", spelled, "GET", spelled) == 401
    assert status("GET", path, "GET", spelled) == 401
    # HEAD is signed as what it is.
    assert status("HEAD", path, "HEAD", path) == 200
    assert status("HEAD", path, "GET", path) == 401
    assert status("HEAD", f"{member.base}/snapshot", "HEAD", f"{member.base}/snapshot") == 200
    log = json.loads(ask(pivot, get("/_gimbal/status")).body)["log"]
    assert log.get("snapshotReaders", 0) == 0, log
    print("signatures: over the path as it is read")


def heads(pivot):
    """HEAD has no content, the status of GET, and no length or GET's (RFC 9110 §9.3.2, §8.6)."""
    ask(pivot, post("/things/0", '{"a":0}'))
    for target in KEYS + OWN:
        for more in ["", "Accept-Encoding: gzip\r\n"]:
            last = get("/things/0")
            with Raw(pivot) as raw:
                head = raw.send(get(target, more, method="HEAD") + get(target, more) + last).answer(is_head=True)
                answer = raw.answer()
                assert json.loads(raw.answer().body)["path"] == "things/0", target
            assert head.status == answer.status, (target, head.head, answer.head)
            assert head["Content-Type"] == answer["Content-Type"], (target, head.head, answer.head)
            length = head["Content-Length"]
            if target != "/metrics" and length is not None:
                assert int(length) == len(answer.body), (target, more, head.head, answer.head)
    connection = http.client.HTTPConnection(pivot.address, timeout=10)
    for target in ["/metrics", "/_gimbal/page/app.js", "/things/*", "/things/0", "/_gimbal/none"]:
        connection.request("HEAD", target)
        assert connection.getresponse().read() == b""
    connection.close()
    for request in ["HEAD /things/0 HTTP/1.1\r\n\r\n", "HEAD /things/0 HTTP/1.1\r\nHost: a b\r\n\r\n"]:
        with Raw(pivot) as raw:
            assert raw.send(request).answer(is_head=True).status == 400 and raw.end() == b""
    print(f"HEAD: as GET on {len(KEYS + OWN)} routes")


def old_versions(pivot):
    """HTTP/1.0 has no chunks, no interim answers and no upgrades, and its connections end (RFC 9112 §6.1, §9.3)."""
    for target in KEYS + OWN:
        for host in ["", "Host: h\r\n"]:
            with Raw(pivot) as raw:
                answer = raw.send(get(target, version="1.0", host=host)).answer()
                assert answer.line.startswith("HTTP/1.0 ") and answer["Transfer-Encoding"] is None, (target, answer.head)
                assert answer["Connection"] == "close" and raw.end() == b"", (target, answer.head)
    with Raw(pivot) as raw:
        for target in ["/things/0", "/_health/live", "/things/0"]:
            answer = raw.send(get(target, "Connection: Keep-Alive\r\n", version="1.0")).answer()
            assert answer["Connection"] == "keep-alive" and answer["Content-Length"] is not None, (target, answer.head)
        assert raw.send(get("/things/*", "Connection: keep-alive\r\n", version="1.0")).answer()["Connection"] == "close"
    for target in ["/things/0", "/things/0?x=1"]:
        request = f"POST {target} HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n1"
        assert ask(pivot, request).status == 200, target
    request = handshake("/things/0", version="Sec-WebSocket-Version: 13\r\n").replace("HTTP/1.1", "HTTP/1.0")
    assert ask(pivot, request).status == 200
    request = "POST /things/t HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"
    assert ask(pivot, request).status == 400 and ask(pivot, get("/things/t")).status == 404
    print("HTTP/1.0: no chunks, no interim answers, and an end")


def options(pivot):
    """`close` has no case and may stand in a list (RFC 9110 §7.6.1)."""
    for option in ["close", "Close", "CLOSE", "TE, close", "close, TE", "keep-alive, close", "TE\r\nConnection: close"]:
        for target in ["/things/0", "/things/*", "/metrics", "/_health/live", "/things/0?x=1"]:
            with Raw(pivot) as raw:
                answer = raw.send(get(target, f"Connection: {option}\r\n")).answer()
                shown = option, target, answer.head
                assert answer.status == 200 and answer["Connection"] == "close" and raw.end() == b"", shown
    for option in ["keep-alive", "TE", "x-close", "closed"]:
        for target in ["/things/0", "/things/*", "/metrics"]:
            with Raw(pivot) as raw:
                request = get(target, f"Connection: {option}\r\n")
                assert [raw.send(request).answer().status for _ in range(2)] == [200, 200], (option, target)
    print("Connection: closed when due, and kept otherwise")


def hosts(pivot):
    """One Host, well-formed, on every route (RFC 9112 §3.2)."""
    good = ["h", "h:80", "h:", "127.0.0.1:1", "[::1]", "[::1]:80", "a.b-c_d.e", "H.", " h ", "h\t"]
    bad = ["a b", "a/b", "a@b", "a:b", "a:1:2", "[::1", "::1", "[::1]x", "a,b", "a?b", "a#b", "é", "a\\b", ":80"]
    for target in ["/things/0", "/things/*", "/metrics", "/_health/live", "/things/0?x=1"]:
        for host in good:
            # Well-formed names that are not this server's are another matter: check_browsers.py.
            expected = 421 if "." in host.rstrip(".") and any(letter.isalpha() for letter in host) else 200
            assert ask(pivot, get(target, host=f"Host: {host}\r\n")).status == expected, (target, host)
        for host in ["", "Host: a\r\nHost: b\r\n", "Host: h\r\nhost: h\r\n"] + [f"Host: {name}\r\n" for name in bad]:
            for request in [get(target, host=host), handshake(target, host=host)]:
                answer = ask(pivot, request.encode())
                assert answer.status == 400 and answer["Connection"] == "close", (request, answer.head)
                assert answer["Gimbal-Error"] in ("bad-host", "bad-request"), (request, answer.head)
        assert ask(pivot, get(target, version="1.0", host="Host: a\r\nHost: b\r\n")).status == 400
    print(f"Host: {len(good)} taken, {len(bad) + 3} refused")


def expectations(pivot):
    """A client that waits to be asked for its body is asked, or has its answer (RFC 9110 §10.1.1)."""
    def first(target, length, method="POST", expect="100-continue"):
        return get(target, f"Content-Length: {length}\r\nExpect: {expect}\r\n", method=method)

    for target in ["/things/5", "/things/*", "/things/5?x=1", "/things/*?x=1"]:
        for expect in ["100-continue", "100-Continue"]:
            with Raw(pivot) as raw:
                assert raw.send(first(target, 1, expect=expect)).answer().status == 100, target
                assert raw.send("7").answer().status == 200, target
                # The connection goes on behind it.
                assert raw.send(get("/things/0")).answer().status == 200, target
    with Raw(pivot) as raw:
        assert raw.send(first("/_gimbal/import", 7)).answer().status == 100
        answer = raw.send("nothing").answer()
        assert answer.status == 400, answer.head
    # Whoever is refused is not asked, and what might still come is not taken for a request.
    refused = [("/things/5", 99999999, 413), ("/things/5?x=1", 99999999, 413), ("/_gimbal/members/x", 7, 403),
               ("/_gimbal/none", 7, 404)]
    for target, length, status in refused:
        with Raw(pivot) as raw:
            answer = raw.send(first(target, length)).answer()
            assert answer.status == status and answer["Connection"] == "close", (target, answer.head)
            assert raw.end() == b"", target
    with Raw(pivot) as raw:
        request = first("/things/6?x=1", 1) + "8" + get("/things/6")
        raw.send(request)
        answers = [raw.answer() for _ in range(2)]
        if answers[0].status == 100:
            answers.append(raw.answer())
        assert [answer.status for answer in answers][-2:] == [200, 200] and b'"data":8' in answers[-1].body
    print("Expect: asked for, or answered")


def codings(pivot):
    """The only transfer coding is chunked, and what is in chunks is content (RFC 9112 §6.1, §7.1.1)."""
    def chunked(name, body, coding="chunked", target="/things/{}"):
        return f"POST {target.format(name)} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {coding}\r\n\r\n{body}"

    whole = "1\r\n1\r\n0\r\n\r\n"
    for target in ["/things/{}", "/things/{}?x=1"]:
        for coding in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "deflate, chunked"]:
            answer = ask(pivot, chunked("coded", whole, coding, target))
            assert (answer.status, answer["Gimbal-Error"]) == (501, "transfer-coding"), (coding, answer.head)
        for coding in ["chunked, chunked", "chunked, identity", "gzip", "xchunked"]:
            assert ask(pivot, chunked("coded", whole, coding, target)).status in (400, 501), coding
        assert ask(pivot, chunked("plain", whole, "Chunked", target)).status == 200
        assert ask(pivot, chunked("plain", "1;name=value\r\n1\r\n0\r\nTrailer: x\r\n\r\n", target=target)).status == 200
        # Many small chunks are content, however they come.
        with Raw(pivot) as raw:
            raw.send(chunked("small", "", target=target))
            raw.send("1\r\n\"\r\n")
            for _ in range(200):
                raw.send("1\r\nx\r\n" * 100)
            assert raw.send("1\r\n\"\r\n0\r\n\r\n").answer().status == 200
        assert len(ask(pivot, get("/things/small")).body) > 20000
        # An extension without an end is none: 400 where nothing is answered yet, and the end of the connection.
        with Raw(pivot) as raw:
            raw.send(chunked("endless", "1;", target=target))
            until = time.monotonic() + 15
            try:
                while time.monotonic() < until:
                    raw.send("x" * 65536)
                    time.sleep(0.01)
            except (BrokenPipeError, ConnectionResetError):
                until = None
            assert until is None, "an extension goes on for ever"
    assert ask(pivot, get("/things/coded")).status == 404
    print("codings: chunked alone, and extensions with an end")


def sentences(pivot):
    """What is wrong is said of the right thing."""
    for length in [486, 487, 488, 500, 510]:
        answer = ask(pivot, post("/things/" + "b" * (length - 7) + "/*", "1"))
        assert (answer.status == 200) == (length <= 487), (length, answer.body)
        if length > 487:
            assert answer["Gimbal-Error"] == "invalid-path" and b"512" in answer.body, answer.body
    answer = ask(pivot, post("/*", "1"))
    assert answer["Gimbal-Error"] == "pattern" and b"end of the path" not in answer.body, answer.body
    answer = ask(pivot, get("/things/0", "Origin: http://a\r\nAccess-Control-Request-Method: POST\r\n", method="OPTIONS"))
    assert "PUT" not in (answer["Access-Control-Allow-Methods"] or ""), answer.head
    print("sentences: about what is wrong")


with Fleet(sys.argv[1], nodes=0) as fleet:
    pivot = fleet.servers[0]
    spellings(pivot)
    signatures(fleet)
    heads(pivot)
    old_versions(pivot)
    options(pivot)
    hosts(pivot)
    expectations(pivot)
    codings(pivot)
    sentences(pivot)
