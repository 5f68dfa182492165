#!/usr/bin/env python3
"""What a page of another origin, or one whose name was made to point here, can do to a server: check_browsers.py BINARIES

Nothing: every route is tried as a browser would, at a pivot and at a node, and everything is as it was before.
"""

import http.client
import json
import socket
import sys

import requests

from fleet import Fleet, Server
from member import Member

EVIL = "https://evil.example"
ROUTES = [
    ("POST", "/things/csrf"), ("POST", "/things/*"), ("PATCH", "/things/secret"), ("GET", "/things/secret"),
    ("HEAD", "/things/secret"), ("DELETE", "/things/secret"), ("GET", "/things/*"), ("DELETE", "/things/*"), ("GET", "/**"),
    ("POST", "/things/csrf?x=1"), ("GET", "/things/secret?siblings=1"), ("GET", "/"), ("GET", "/?api=keys"),
    ("GET", "/?api=info"), ("GET", "/metrics"), ("GET", "/_gimbal/export"), ("GET", "/_gimbal/status"),
    ("GET", "/_gimbal/members"), ("GET", "/_gimbal/deadletters"), ("GET", "/_gimbal/outbox"),
    ("GET", "/_gimbal/explain?key=things/secret"), ("GET", "/_gimbal/page/app.js"), ("POST", "/_gimbal/import"),
    ("POST", "/_gimbal/deadletters/x/retry"),
    ("DELETE", "/_gimbal/deadletters/x"), ("POST", "/_gimbal/members/" + "0" * 64), ("GET", "/_pivot/health/nodes"),
    ("GET", "/_pivot/version"), ("GET", "/_health/live"), ("GET", "/_health/ready"), ("OPTIONS", "/things/secret"),
    ("PUT", "/things/secret"), ("GET", "/%5Fgimbal/status"), ("GET", "/nothing/here"),
]
REPLICATION = [("GET", "/_pivot/v1/spaces"), ("POST", "/_pivot/v1/spaces/{}/push"), ("POST", "/_pivot/v1/spaces/{}/pull"),
               ("GET", "/_pivot/v1/spaces/{}/certificate")]
CLIENT = [("GET", "/things/secret"), ("GET", "/things/*"), ("GET", "/nothing/here"), ("GET", "/_health/ready"),
          ("POST", "/things/page"), ("HEAD", "/things/secret")]
OPERATORS = ["/_gimbal/status", "/_gimbal/export", "/_gimbal/deadletters", "/metrics", "/?api=keys", "/_pivot/health/nodes",
             "/_pivot/v1/spaces", "/%5Fgimbal/status"]


def ask(server, method, path, **headers):
    body = b"1" if method in ("POST", "PATCH", "PUT") else None
    return requests.request(method, server.url + path, data=body, headers={"Content-Type": "text/plain"} | headers, timeout=20)


def upgrade(server, path, **headers):
    """The status of a WebSocket handshake."""
    lines = {"Host": server.address, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | headers
    with socket.create_connection(server.address.split(":"), timeout=20) as raw:
        raw.sendall((f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode())
        return int(raw.recv(64).split()[1])


def cross_origin(answer):
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control")}


def refused(server, space, rows, status, code, **headers):
    for method, path in rows:
        answer = ask(server, method, path.format(space), **headers)
        assert answer.status_code == status, (method, path, headers, answer.status_code, answer.text)
        assert answer.headers["Gimbal-Error"] == code and not cross_origin(answer), (method, path, answer.headers)


def foreign(server, space):
    others = [EVIL, "null", "http://127.0.0.1:1", "http://localhost", "file://", server.url + ".evil.example", "*",
              "http://user@" + server.address, "http://" + server.address + "/"]
    for origin in others:
        refused(server, space, ROUTES + REPLICATION if origin == EVIL else CLIENT, 403, "foreign-origin", Origin=origin)
        for path in ("/**", "/things/secret", "/things/*?changes=1", "/"):
            assert upgrade(server, path, Origin=origin) == 403, (origin, path)
    for method in ("DELETE", "PATCH", "PUT"):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Private-Network": "true"}
        refused(server, space, [("OPTIONS", "/things/secret")], 403, "foreign-origin", Origin=EVIL, **asked)


def rebound(server, space):
    for host in ("evil.example", f"evil.example:{server.address.split(':')[1]}", "127.0.0.1.evil.example",
                 "localhost.evil.example", "1.2.3.4.evil", "EVIL.example."):
        refused(server, space, ROUTES if host == "evil.example" else CLIENT, 421, "unknown-host", Host=host)
        assert upgrade(server, "/**", Host=host) == 421, host
    # What nodes ask is signed or no secret, and they know their pivot by any name; a page still gets nothing.
    assert ask(server, "GET", "/_pivot/v1/spaces", Host="evil.example").status_code == 200
    refused(server, space, REPLICATION, 403, "foreign-origin", Host="evil.example", Origin="http://evil.example")
    for host in (server.address, "127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:7000", "192.168.1.7", socket.gethostname(),
                 "pivot"):
        for method, path in CLIENT:
            answer = ask(server, method, path, Host=host)
            assert answer.status_code in (200, 404), (host, method, path, answer.status_code)
        assert upgrade(server, "/**", Host=host) == 101, host


def own_page(server):
    for origin, host in (("http://" + server.address, server.address), ("http://localhost:7", "localhost:7"),
                         ("https://localhost", "localhost"), ("http://localhost", "localhost:80")):
        for method, path in CLIENT + [("GET", "/_gimbal/status"), ("GET", "/?api=keys")]:
            answer = ask(server, method, path, Origin=origin, Host=host)
            assert answer.status_code in (200, 404) and not cross_origin(answer), (origin, path, answer.status_code)
        assert upgrade(server, "/**", Origin=origin, Host=host) == 101


def grant(pivot, author, *writes):
    """By the operator's socket, where no browser gets to: it looks at neither header."""
    door = http.client.HTTPConnection("localhost")
    door.sock = socket.socket(socket.AF_UNIX)
    door.sock.connect(pivot.folder + "/operator.sock")
    door.request("POST", f"/_gimbal/members/{author}", json.dumps({"name": "n", "writes": writes}),
                 {"Host": "evil.example", "Origin": EVIL})
    assert door.getresponse().status == 200


def letters(fleet, pivot, node, space):
    """Dead letters, which are nowhere else, are neither read nor dropped by a page."""
    author = requests.get(node.url + "/_gimbal/status", timeout=20).json()["author"]
    pivot.kill()
    assert requests.post(node.url + "/things/order", data="1", timeout=20).status_code == 200
    fleet.pause(node)
    pivot.start()
    pivot.wait_until_ready()
    grant(pivot, author, "things/nothing")
    fleet.resume(node)
    found = []
    fleet.wait_until(lambda: found.extend(requests.get(node.url + "/_gimbal/deadletters", timeout=20).json()) or found)
    for letter in found:
        place = f"/_gimbal/deadletters/{letter['id']}"
        refused(node, space, [("DELETE", place), ("POST", place + "/retry")], 403, "foreign-origin", Origin=EVIL)
        refused(node, space, [("DELETE", place), ("POST", place + "/retry")], 421, "unknown-host", Host="evil.example")
    assert requests.get(node.url + "/_gimbal/deadletters", timeout=20).json() == found
    grant(pivot, author, "**")


def named(binaries):
    """An origin and a name that the operator said."""
    app, name = "https://app.example.com", "gimbal.example.com"
    server = Server("pivot", binaries, ["--allow-origin", app, "--allow-origin", "http://10.0.0.9:3000", "--allow-origin",
                                       "capacitor://localhost", "--allow-host", name])
    server.wait_until_ready()
    requests.post(server.url + "/things/secret", data="1", timeout=20)
    for origin in (app, "http://10.0.0.9:3000", "capacitor://localhost"):
        for method, path in CLIENT:
            answer = ask(server, method, path, Origin=origin)
            assert answer.status_code in (200, 404), (path, answer.status_code)
            assert answer.headers["Access-Control-Allow-Origin"] == origin, answer.headers
            assert "Origin" in answer.headers["Vary"] and "Gimbal-Error" in answer.headers["Access-Control-Expose-Headers"]
            assert not cross_origin(ask(server, method, path))
        asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
        answer = ask(server, "OPTIONS", "/things/secret", Origin=origin, **asked)
        allowed = cross_origin(answer)
        assert answer.status_code == 204 and allowed["Access-Control-Allow-Origin"] == origin, (answer.status_code, allowed)
        assert allowed["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PATCH, DELETE", allowed
        assert "gimbal-read" in allowed["Access-Control-Allow-Headers"]
        assert upgrade(server, "/**", Origin=origin) == 101
        for path in OPERATORS:
            answer = ask(server, "GET", path, Origin=origin)
            assert answer.status_code == 403 and not cross_origin(answer), (path, answer.status_code, answer.headers)
    refused(server, "", CLIENT, 403, "foreign-origin", Origin="https://app.example.com.evil.example")
    refused(server, "", CLIENT, 403, "foreign-origin", Origin="http://app.example.com")
    for host in (name, name.upper() + ":443", name + "."):
        for method, path in CLIENT:
            assert ask(server, method, path, Host=host).status_code in (200, 404)
        assert upgrade(server, "/**", Host=host, Origin="https://" + host) == 101
    refused(server, "", CLIENT, 421, "unknown-host", Host="www." + name)
    server.stop()


def check(fleet, binaries):
    pivot, node = fleet.servers
    space = requests.get(pivot.url + "/_pivot/v1/spaces", timeout=20).json()["spaces"][0]
    requests.post(pivot.url + "/things/secret", data='{"pin":1234}', timeout=20)
    fleet.wait_until_quiet_of("things/secret")
    for server in (pivot, node):
        before = requests.get(server.url + "/things/*", timeout=20).text
        foreign(server, space)
        assert requests.get(server.url + "/things/*", timeout=20).text == before
    print(f"pages of other origins: {len(ROUTES + REPLICATION)} routes and subscriptions of two servers, 403, nothing changed")
    for server in (pivot, node):
        before = requests.get(server.url + "/things/secret", timeout=20).text
        rebound(server, space)
        assert requests.get(server.url + "/things/secret", timeout=20).text == before
        own_page(server)
    print("rebound names: 421; addresses, local names and the server's own page: as ever")
    letters(fleet, pivot, node, space)
    # A node that reaches its pivot by a name of which the pivot knows nothing.
    member = Member(pivot)
    member.join()
    path = member.base + "/place"
    answer = member.send("GET", path, headers=member.headers("GET", path) | {"Host": "pivot.fleet.example:7000"})
    assert answer.status_code == 200, answer.text
    named(binaries)
    print("an origin and a name that were allowed: the client API alone, with that origin and no star")


if __name__ == "__main__":
    with Fleet(sys.argv[1], nodes=1) as fleet:
        check(fleet, sys.argv[1])
