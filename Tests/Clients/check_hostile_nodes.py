#!/usr/bin/env python3
"""What strangers and hostile members send to a pivot gets its answer and changes nothing: check_hostile_nodes.py BINARIES"""

import io
import json
import os
import sys

import cbor2
import requests

from fleet import Fleet
from member import START, Member, now, push_body
from gimbal import hashes
from gimbal.signatures import Signer
from makers.world import assign, prune, put, remove


def standing(server):
    """Where the log ends and what the state is."""
    status = requests.get(server.url + "/_gimbal/status", timeout=10).json()
    return status["position"], status["stateDigest"]


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


def unauthorized(pivot, member):
    """Every request that is not signed well, by a member, for this space, once: 401."""
    join, push, place = (f"{member.base}/{route}" for route in ("join", "push", "place"))
    log = f"epoch=0-0&position=0&root={'0' * 64}"
    body = push_body([member.delta([put("things/forged", "1")]).encoded])
    stranger = Member(pivot)
    stranger.refresh()
    other_space = "/_pivot/v1/spaces/" + "1" * 64
    once = member.headers("GET", place)
    assert member.send("GET", place, headers=once).status_code == 200
    swapped = member.headers("POST", push, body=body)
    swapped["Signature"] = member.headers("POST", push, body=body)["Signature"]
    borrowed = member.nonce()
    named = member.headers("GET", place, signer=stranger.signer)
    named["Signature-Input"] = named["Signature-Input"].replace(stranger.signer.public.hex(), member.signer.public.hex())
    garbled = member.headers("GET", place) | {"Signature-Input": 'gimbal=("@method")'}
    double = member.headers("GET", place)
    double["Signature-Input"] += ";created=1"
    rows = [
        ("unsigned push", "POST", push, "", body, {}),
        ("unsigned join", "POST", join, "", b"", {}),
        ("unsigned question", "GET", place, "", None, {}),
        ("unsigned pull", "GET", f"{member.base}/log", log, None, {}),
        ("replayed", "GET", place, "", None, once),
        ("a challenge of nobody's", "GET", place, "", None, member.headers("GET", place, nonce=os.urandom(24))),
        ("a counter of zero", "GET", place, "", None, member.headers("GET", place, nonce=member.challenge + bytes(8))),
        ("a member's challenge, a stranger's key", "GET", place, "", None,
         stranger.headers("GET", place, nonce=borrowed)),
        ("another body", "POST", push, "", body + b"x", member.headers("POST", push, body=body)),
        ("another body, its digest, the old signature", "POST", push, "", body, swapped),
        ("another path", "GET", f"{member.base}/log", log, None, member.headers("GET", place, log)),
        ("another query", "GET", f"{member.base}/log", log, None, member.headers("GET", f"{member.base}/log", "")),
        ("another method", "POST", place, "", None, member.headers("GET", place)),
        ("another's name", "GET", place, "", None, named),
        ("malformed parameters", "GET", place, "", None, garbled),
        ("a parameter too many", "GET", place, "", None, double),
        ("a stranger's push", "POST", push, "", body, stranger.headers("POST", push, body=body)),
        ("a stranger's question", "GET", place, "", None, stranger.headers("GET", place)),
        ("a stranger's pull", "GET", f"{member.base}/log", log, None, stranger.headers("GET", f"{member.base}/log", log)),
        ("another space", "POST", f"{other_space}/push", "", body, member.headers("POST", f"{other_space}/push", body=body)),
        ("another space, asked", "GET", f"{other_space}/place", "", None, member.headers("GET", f"{other_space}/place")),
    ]
    before = standing(pivot)
    for name, method, path, query, data, headers in rows:
        answer = member.send(method, path, query, data, headers)
        expected = (401, 404, 405) if name == "another method" else (401,)
        assert answer.status_code in expected, (name, answer.status_code, answer.text)
    assert standing(pivot) == before
    print(f"{len(rows)} requests that are not a member's: 401, nothing changed")


def hostile_pushes(pivot, member):
    """Pushes of a member that are signed well and carry what must not be taken."""
    good = member.delta([put("things/a", "1"), put("things/b", "2", offset=1)])
    stranger = Signer(os.urandom(32))
    encoded = good.encoded
    operation = encoded.index(b"things/a")
    signature = encoded.index(good.envelope.signature)
    cut = push_body([encoded])[:-1]
    later = member.delta([put("things/c", "3")], first=3, previous=good.header.hash)
    other = member.delta([put("things/c", "3")], incarnation=member.incarnation ^ 1)
    unknown = ((stranger.public, 7, 1),)
    rows = [
        ("a bit of the signature", {"bad-signature"}, lambda: member.push_bytes(flipped(encoded, signature))),
        ("a bit of an operation", {"malformed", "bad-signature"}, lambda: member.push_bytes(flipped(encoded, operation))),
        ("a bit of the header", {"malformed", "bad-signature"},
         lambda: member.push_bytes(flipped(encoded, encoded.index(good.header.root)))),
        ("another space", {"wrong-space"}, lambda: member.push(member.delta([put("things/a", "1")], space=bytes(range(32))))),
        ("a stranger's delta", {"not-a-member"}, lambda: member.push(member.delta([put("things/a", "1")], author=stranger))),
        ("a gap", {"head"}, lambda: member.push(member.delta([put("things/a", "1")], first=2, previous=bytes(range(32))))),
        ("a past before the first", {"malformed"},
         lambda: member.push(member.delta([put("things/a", "1")], previous=b"\x01" * 32))),
        ("the second before the first", {"head"}, lambda: member.push(later)),
        ("what nobody saw", {"dependency"},
         lambda: member.push(member.delta([remove("things/a", observed=((1, 1),))], observed=unknown))),
        ("hidden operations", {"malformed"}, lambda: member.push(prune(good, [1]))),
        ("two replicas", {"malformed", "head"}, lambda: member.push(other, good)),
        ("no delta", {"malformed"}, lambda: member.push()),
        ("a cursor of another life", {"refill"}, lambda: member.push(good, cursor=[9, 9, 9, b"\x09" * 32])),
        ("a byte too few", {"malformed"}, lambda: member.ask("POST", "push", body=cut)),
        ("a byte too many", {"malformed"}, lambda: member.ask("POST", "push", body=push_body([encoded]) + b"\x00")),
        ("no CBOR", {"malformed"}, lambda: member.ask("POST", "push", body=b"\xff" * 999)),
        ("a count that would fill the memory", {"malformed"},
         lambda: member.ask("POST", "push", body=push_body([])[:-1] + b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("CBOR all the way down", {"malformed"}, lambda: member.ask("POST", "push", body=b"\x81" * 1_000_000)),
    ]
    # In "two replicas" the first is as good as any: what is before a refused delta is accepted.
    for name, verdicts, push in rows:
        before = standing(pivot)
        status, verdict = push()
        assert status == 200 and verdict in verdicts, (name, status, verdict)
        if name != "two replicas":
            assert standing(pivot) == before, name
    print(f"{len(rows)} pushes that must not be taken: answered, signed, nothing changed")
    assert member.push(good) == (200, "accepted")
    member.advance(good)
    assert member.push(good) == (200, "head"), "sent again, it is not taken again"


def extreme_queries(pivot, member):
    """Numbers of a query that would not fit a sum: 400, and the pivot lives."""
    def ask(route, query):
        path = f"{member.base}/{route}"
        return member.send("GET", path, query, headers=member.headers("GET", path, query))
    first = ask("snapshot", "").content
    head = cbor2.CBORDecoder(io.BytesIO(first[4:])).decode()
    _, _, number, random, position, _, _, _, _, root = cbor2.loads(head[3][0].value[2])
    cursor = f"epoch={number}-{random:x}&position={position}&root={root.hex()}"
    assert ask("snapshot", f"{cursor}&section=entries&after=0&count=0").status_code == 200
    stream = ask("log", cursor)
    assert stream.status_code == 200 and stream.headers["X-Accel-Buffering"] == "no", "nginx would hold the stream back"
    rows = []
    for extreme in (position + 1, 2**62 - 1, 2**62, 2**63, 2**64 - 1, 2**64, -1):
        rows += [("snapshot", f"{cursor}&section={rest}") for rest in (
            f"entries&after=0&count={extreme}", f"entries&after={extreme}&count=0", f"entries&after={extreme}&count={extreme}",
            f"replicas&count={extreme}")]
    for extreme in (2**62, 2**64 - 1):
        for route in ("log", "snapshot"):
            rest = "&section=head" if route == "snapshot" else ""
            rows.append((route, f"epoch={number}-{random:x}&position={extreme}&root={root.hex()}{rest}"))
            rows.append((route, f"epoch={extreme}-{random:x}&position={position}&root={root.hex()}{rest}"))
    before = standing(pivot)
    for route, query in rows:
        answer = ask(route, query)
        assert answer.status_code == 400, (route, query, answer.status_code)
        assert answer.headers["Gimbal-Error"] == "malformed-query", (route, query)
    assert standing(pivot) == before
    print(f"{len(rows)} queries with extreme numbers: 400")


def refused_operations(pivot, node, member):
    """What is wrong with one operation refuses that one alone."""
    delta = member.delta([
        put("things/good", "1"), put("elsewhere/x", "2", offset=1), put("_members/me", "{}", offset=2),
        put("things/large", '"' + "x" * (1 << 20) + '"', offset=3), put("things/last", "5", offset=4)])
    assert member.push(delta) == (200, "accepted")
    member.advance(delta)
    for server in (pivot, node):
        for key, status in [("good", 200), ("large", 404), ("last", 200)]:
            answer = requests.get(f"{server.url}/things/{key}", headers={"Gimbal-Read": "latest"}, timeout=20)
            assert answer.status_code == status, (key, answer.status_code)
    metrics = requests.get(pivot.url + "/metrics", timeout=10).text
    assert 'gimbal_refused_operations_total{space="%s",reason="outside-space"}' % member.space[:16] in metrics, metrics
    print("refused operations: one by one, and the rest goes on")


def clocks(pivot, node, member):
    """A stamp that is a year ahead wins for half a minute at most against whoever has not seen it, and never against who has."""
    delta = member.delta([assign("settings", '"from the future"')], stamp=now(365 * 86400))
    assert member.push(delta) == (200, "accepted")
    member.advance(delta)
    explained = requests.get(node.url + "/_gimbal/explain?key=settings", timeout=10)
    answer = requests.get(f"{node.url}/settings", headers={"Gimbal-Read": "latest"}, timeout=20).json()
    assert answer["data"] == "from the future"
    standing = requests.get(pivot.url + "/_gimbal/explain?key=settings", timeout=10).json()["standing"][0]
    assert standing["stamp"] - standing["effectiveStamp"] > 364 * 86400 * 10**9, explained.text
    for server, value in ((node, "seen and overwritten"), (pivot, "again")):
        assert requests.post(f"{server.url}/settings", data=json.dumps(value), timeout=10).status_code == 200
        answer = requests.get(f"{node.url}/settings", headers={"Gimbal-Read": "latest"}, timeout=20).json()
        assert answer["data"] == value, answer
    for stamp in (1 << 16, 0):
        delta = member.delta([put(f"things/from-{stamp}", "1970")], stamp=stamp)
        assert member.push(delta) == (200, "accepted")
        member.advance(delta)
        assert requests.get(f"{pivot.url}/things/from-{stamp}", timeout=10).json()["data"] == 1970
    metrics = requests.get(pivot.url + "/metrics", timeout=10).text
    assert "gimbal_capped_pushes_total{" in metrics
    print("clocks: a year ahead is capped and can be overwritten at once, 1970 works")


def check(fleet):
    pivot, node = fleet.servers
    member = Member(pivot)
    member.join()
    unauthorized(pivot, member)
    hostile_pushes(pivot, member)
    extreme_queries(pivot, member)
    refused_operations(pivot, node, member)
    clocks(pivot, node, member)
    requests.post(f"{node.url}/things/afterwards", data="1", timeout=10)
    fleet.wait_until_quiet()
    assert standing(pivot) == standing(node)


if __name__ == "__main__":
    with Fleet(sys.argv[1], nodes=1) as fleet:
        check(fleet)
