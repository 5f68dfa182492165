#!/usr/bin/env python3
"""No two readings of one request: check_one_reading.py BINARIES [SEED [COUNT]]

A whole request in one packet may be read from its bytes, the same in two packets or behind another one is the HTTP decoder's.
Requests are drawn that are good, nearly good or bad in a place or two; both ways have to give the same answer, store the
same and leave the same number of requests behind."""

import random
import re
import sys

from fleet import Fleet
from raw import Raw

SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 400

METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "get", "PUT", "GE", "OPTIONS"]
TARGETS = ["/things/a", "/things/b", "/settings", "/things/*", "/things/%61", "/things/%2A", "/things/none", "/_settings",
           "/things/a/", "//things", "/things//a", "/-a", "/things/a?x=1", "/things/a#x", "/*", "/a/*/b", "/",
           "/_health/live", "/things/a%2Fb", "/" + "k" * 512, "/" + "k" * 513, "things/a", "http://h/things/a", "/things/.a"]
HOSTS = ["Host: h", "host:h", "HOST:  h:80 ", "Host: [::1]:80", "Host:", "Host: a b", "Host: h\r\nHost: h", "", "Host : h",
         "Host: h@x", "Host:\th", "Host: h:x"]
OTHERS = ["Accept: */*", "User-Agent: t", "Connection: keep-alive", "Connection: Keep-Alive", "Content-Type: application/json",
          "Accept-Encoding: identity", "Accept-Language: de", "Gimbal-Read: local", "GIMBAL-READ: Latest", "Gimbal-Read: later",
          "X-Other: 1", "Expect: nothing", "Cookie: a=b", "Accept : x", " folded", "nocolon", "Connection: close", "TE: trailers",
          "Accept: \x01", "Accept: é", "Connection: TE, close", "Transfer-Encoding: gzip, chunked", "Upgrade: h2c", "Via:x"]
LENGTHS = ["Content-Length: {}", "content-length:{}", "Content-Length:   {}", "Content-Length: 0{}", "Content-Length: {} ",
           "Content-Length: +{}", "Content-Length: {0}\r\nContent-Length: {0}", "Content-Length: {0}, {0}", "",
           "Content-Length: {}\r\nTransfer-Encoding: chunked", "Content-Length : {}", "Content-Length: {}x"]
BODIES = ["1", '{"x":1}', "{", "", '"é"', "null"]


def request(rng):
    """One that is likely to be whole, with one or two odd choices."""
    odd = set(rng.sample(range(6), rng.choice([0, 0, 1, 1, 2])))
    method = rng.choice(METHODS if 0 in odd else METHODS[:5])
    target = rng.choice(TARGETS if 1 in odd else TARGETS[:4])
    lines = [rng.choice(HOSTS if 2 in odd else HOSTS[:4])] + rng.sample(OTHERS if 3 in odd else OTHERS[:10], rng.randrange(4))
    body = rng.choice(BODIES)
    if method in ("POST", "PATCH", "PUT") or 4 in odd:
        lines.append(rng.choice(LENGTHS if 5 in odd else LENGTHS[:3]).format(len(body.encode())))
    else:
        body = ""
    rng.shuffle(lines)
    version = rng.choice(["1.1"] * 12 + ["1.0", "1.2"])
    head = f"{method} {target} HTTP/{version}\r\n" + "".join(line + "\r\n" for line in lines if line)
    return (head + "\r\n" + body).encode(), method == "HEAD"


def reading(pivot, packets):
    """Everything that the server says until it ends, without what a moment puts in."""
    with Raw(pivot) as raw:
        last = b"GET /things/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Other: 1\r\n\r\n"
        try:
            for packet in packets:
                raw.send(packet)
            # What is left of a request that is not whole must not be taken for the next one's beginning.
            raw.send(last)
        except (BrokenPipeError, ConnectionResetError):
            pass
        said = raw.end().decode("latin1")
    said = re.sub(r'"(created|updated)":\d+', r'"\1":0', said)
    said = re.sub(r'"index":"[0-9a-f]{24}"', '"index":"pushed"', said)
    said = re.sub(r"(?i)date: [^\r]*", "date", said)
    return "\n".join(line.lower() if ": " in line else line for line in said.split("\r\n"))


def check(pivot, rng, count):
    packets, statuses = [], {}
    store = b"POST /things/a HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{\"v\":1}"
    for _ in range(count):
        data, _ = request(rng)
        cut = rng.randrange(1, len(data))
        ways = [[data], [b"GET /_health/live HTTP/1.1\r\nHost: h\r\n\r\n", data], [data[:cut], data[cut:]]]
        said = []
        for way in ways:
            with Raw(pivot) as raw:
                # Twice: the first write of a key is the only one whose `updated` is 0.
                for clean in (store, store, b"DELETE /things/b HTTP/1.1\r\nHost: h\r\n\r\n", b"DELETE /settings HTTP/1.1\r\nHost: h\r\n\r\n",
                              b"DELETE /things/none HTTP/1.1\r\nHost: h\r\n\r\n"):
                    raw.send(clean).answer()
            answer = reading(pivot, way)
            if way is ways[1]:
                assert answer.startswith("HTTP/1.1 200 OK"), answer
                answer = answer.split("\n\n", 1)[1]
            said.append(answer)
        status = said[0][9:12]
        statuses[status] = statuses.get(status, 0) + 1
        assert said[0] == said[1] == said[2], f"seed {SEED}: {data!r}\n" + "\n----\n".join(said)
    print(f"{count} requests of seed {SEED}, each read in three ways: {dict(sorted(statuses.items()))}")


with Fleet(sys.argv[1], nodes=0) as fleet:
    check(fleet.servers[0], random.Random(SEED), COUNT)
