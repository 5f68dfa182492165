#!/usr/bin/env python3
"""The Go client of ooo, byte for byte as it is on the wire, at a pivot and at a node: check_go_client.py BINARIES

Its subscriptions are opened by gorilla/websocket from a url.URL, which writes `*` as `%2A`; its other calls by net/http from a
text, which keeps it."""

import base64
import json
import os
import sys

import jsonpatch

from fleet import Fleet
from raw import Raw, eventually, frame


def subscribe(server, path):
    key = base64.b64encode(os.urandom(16)).decode()
    raw = Raw(server)
    # Host and the program, then the headers in the order of their names, as net/http writes them.
    raw.send(f"GET /{path} HTTP/1.1\r\nHost: {server.address}\r\nUser-Agent: Go-http-client/1.1\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n")
    answer = raw.answer()
    assert answer.status == 101, (path, answer.head)
    assert answer["Upgrade"].lower() == "websocket" and answer["Connection"].lower() == "upgrade", answer.head
    assert len(base64.b64decode(answer["Sec-WebSocket-Accept"])) == 20, answer.head
    return raw


def rest(server, method, path, body=None, raw=None):
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    kind = "" if body is None else "Content-Type: application/json\r\n"
    request = (f"{method} /{path} HTTP/1.1\r\nHost: {server.address}\r\nUser-Agent: Go-http-client/1.1\r\n{length}{kind}"
               f"Accept-Encoding: gzip\r\n\r\n{body or ''}")
    if raw is not None:
        return raw.send(request).answer()
    with Raw(server) as own:
        return own.send(request).answer()


class Copy:
    """What the client keeps of a subscription."""

    def __init__(self, raw):
        self.raw, self.data = raw, None
        self.take()
        assert self.data is not None

    def take(self):
        kind, payload = self.raw.frame()
        assert kind == 2, (kind, payload)
        message = json.loads(payload)
        assert set(message) == {"snapshot", "version", "data"} and int(message["version"], 16) >= 0, message
        if message["snapshot"]:
            self.data = message["data"]
        else:
            self.data = jsonpatch.apply_patch(self.data, message["data"])

    def until(self, condition):
        while not condition(self.data):
            self.take()

    def close(self):
        self.raw.send(frame(8, b"\x03\xe8"))
        while self.raw.frame()[0] != 8:
            pass
        assert self.raw.end() == b""
        self.raw.socket.close()


def check(server, other):
    """A list and a key are subscribed to and written as the client does it; `other` is where another client writes."""
    thing = f"go{server.process.pid}"
    assert rest(server, "POST", f"things/{thing}", '{"n":0}').status == 200
    things, one = Copy(subscribe(server, "things/%2A")), Copy(subscribe(server, f"things/{thing}"))
    assert [entry["data"]["n"] for entry in things.data if entry["index"] == thing] == [0] and one.data["data"] == {"n": 0}

    index = json.loads(rest(server, "POST", "things/*", '{"pushed":true}').body)["index"]
    things.until(lambda data: any(entry["index"] == index for entry in data))
    assert things.data[0]["index"] == index and things.data[0]["path"] == f"things/{index}", things.data
    assert rest(other, "POST", f"things/{thing}", '{"n":1}').status == 200
    one.until(lambda data: data["data"] == {"n": 1})
    things.until(lambda data: any(entry["data"] == {"n": 1} for entry in data))
    assert rest(server, "PATCH", f"things/{thing}", '{"m":2}').status == 200
    one.until(lambda data: data["data"] == {"n": 1, "m": 2})

    # One connection for many calls, as net/http keeps it.
    with Raw(server) as raw:
        eventually(lambda: b'"m":2' in rest(server, "GET", f"things/{thing}", raw=raw).body)
        for path in ["things/*", "things/%2A"]:
            answer = rest(server, "GET", path, raw=raw)
            assert answer.status == 200 and answer["Content-Type"] == "application/json", answer.head
        assert rest(server, "DELETE", f"things/{index}", raw=raw).status == 204
        assert rest(server, "GET", f"things/{index}", raw=raw).status == 404
        assert rest(server, "DELETE", f"things/{index}", raw=raw).status == 404
    things.until(lambda data: all(entry["index"] != index for entry in data))
    assert rest(server, "DELETE", f"things/{thing}").status == 204
    one.until(lambda data: data == {"created": 0, "updated": 0, "index": "", "data": {}})
    things.until(lambda data: all(entry["index"] != thing for entry in data))

    clock = subscribe(server, "")
    kind, now = clock.frame()
    assert kind == 2 and int(now) > 1.6e18, (kind, now)
    clock.socket.close()
    things.close()
    one.close()
    print(f"{'node' if server is not other else 'pivot'}: list, key, push, patch, delete and clock as the Go client writes them")


with Fleet(sys.argv[1], nodes=1) as fleet:
    pivot, node = fleet.servers
    check(pivot, pivot)
    check(node, pivot)
