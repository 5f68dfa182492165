#!/usr/bin/env python3
"""Limits of a server, each met by who wants more than that: check_limits.py BINARIES"""

import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import requests

from fleet import Fleet, Server
from member import Member, push_body

from makers.world import put  # noqa: E402


def raw(server):
    return socket.create_connection(server.address.split(":"), timeout=30)


def answer(connection):
    """The status and the code of what comes next."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4096)
        assert part, "closed without an answer"
        head += part
    lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
    codes = [line.split(": ")[1] for line in lines if line.lower().startswith("gimbal-error")]
    return int(lines[0].split()[1]), codes[0] if codes else None


def metric(server, name):
    lines = requests.get(server.url + "/metrics", timeout=30).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def limited(soft, hard, make):
    """A server that is started with these limits of descriptors."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, usual[1]))
    popen = subprocess.Popen

    class Limited(popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    subprocess.Popen = Limited
    try:
        return make()
    finally:
        subprocess.Popen = popen
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


# Descriptors and connections

def processor(server):
    """Seconds of a core that it has used."""
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def descriptors(binaries):
    server = limited(256, 256, lambda: Server("pivot", binaries, []))
    server.wait_until_ready()
    kept = requests.Session()
    kept.post(server.url + "/things/a", data="1", timeout=30)
    crowd = [raw(server) for _ in range(400)]
    for index in range(40):
        stored = kept.post(f"{server.url}/things/b{index}", data='"' + "x" * 900000 + '"', timeout=30)
        assert stored.status_code == 200, (index, stored.text)
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < 256 - 32
    before = processor(server)
    time.sleep(2)
    assert processor(server) - before < 1, "it spins"
    tool = subprocess.run([f"{binaries}/gimbal", "status", server.folder], capture_output=True, text=True, timeout=60)
    assert tool.returncode == 0 and "pivot" in tool.stdout, "the operator gets in"
    for connection in crowd:
        connection.close()
    assert requests.post(server.url + "/things/a", data="2", timeout=60).status_code == 200
    assert "all places for connections are taken" in open(server.folder + ".log").read()
    server.stop()
    server = limited(64, 2048, lambda: Server("pivot", binaries, []))
    server.wait_until_ready()
    assert metric(server, "process_max_fds") == 2048, "the limit is raised as far as it may be"
    assert 512 <= metric(server, "gimbal_http_connections_max") < 2048
    server.stop()
    print("400 connections and 256 descriptors: storage and operator have theirs, the others wait")


def places(binaries):
    server = configured(binaries, {"maxConnections": 3})
    crowd = [raw(server) for _ in range(3)]
    for connection in crowd:
        connection.sendall(b"GET /_health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection) == (200, None)
    late = raw(server)
    late.sendall(b"GET /_health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    late.settimeout(1)
    try:
        assert not late.recv(1), "it was taken although all places are"
    except TimeoutError:
        pass
    crowd[0].close()
    late.settimeout(30)
    assert answer(late) == (200, None)
    # Who says nothing makes room for who does.
    another = raw(server)
    another.sendall(b"GET /_health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer(another) == (200, None)
    server.stop()
    print("maxConnections: one more waits until there is a place, and silent ones make room")


def configured(binaries, settings, program="pivot", flags=()):
    folder = tempfile.mkdtemp(prefix="gimbal-settings-")
    try:
        with open(folder + "/settings.json", "w") as file:
            json.dump(settings, file)
        server = Server(program, binaries, ["--config", folder + "/settings.json", *flags])
    finally:
        shutil.rmtree(folder)
    server.arguments = list(flags)
    server.wait_until_ready()
    return server


# Bodies

def judged_by_the_head(pivot):
    """Whoever may not send a body is told so before it comes."""
    member, stranger = Member(pivot), Member(pivot)
    member.join()
    stranger.refresh()
    push = member.base + "/push"
    body = push_body([member.delta([put("things/a", "1")]).encoded])
    good = member.headers("POST", push, body=body)
    rows = [
        ("unsigned", push, {}, 31 << 20, 401, "unsigned"),
        ("unsigned join", member.base + "/join", {}, 4000, 401, "unsigned"),
        ("a stranger", push, stranger.headers("POST", push, body=body), len(body), 401, None),
        ("a signature that does not hold", push, good | {"Content-Digest": good["Content-Digest"][:-9] + "AAAAAA==:"}, len(body),
         401, "wrong-signature"),
        ("no digest", push, {k: v for k, v in good.items() if k != "Content-Digest"}, len(body), 401, "wrong-digest"),
        ("more than a push may have", push, good, 33 << 20, 413, "too-large"),
        ("a value over the limit", "/things/large", {}, (1 << 20) + 1, 413, "too-large"),
        ("the same with a query", "/things/large?x=1", {}, (1 << 20) + 1, 413, "too-large"),
        ("pushed", "/things/*", {}, (1 << 20) + 1, 413, "too-large"),
        ("in a space of this server alone", "/elsewhere/large", {}, (1 << 20) + 1, 413, "too-large"),
    ]
    for name, path, headers, length, status, code in rows:
        with raw(pivot) as connection:
            lines = {"Host": pivot.address, "Content-Length": length} | headers
            connection.sendall((f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode())
            assert answer(connection) == (status, code), name
    signed = member.headers("POST", push, body=body)
    assert member.send("POST", push, body=body[:-1] + b"\x01", headers=signed).status_code == 401
    print(f"{len(rows)} bodies refused by their heads")
    # A member whose connection is gone without anybody knowing pushes again.
    with raw(pivot) as connection:
        lines = {"Host": pivot.address, "Content-Length": len(body)} | member.headers("POST", push, body=body)
        connection.sendall((f"POST {push} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode())
        connection.sendall(body[:-1])
        time.sleep(0.5)
        assert member.push_bytes(*[member.delta([put("things/b", "2")]).encoded]) == (200, "accepted")
        assert answer(connection) == (503, "superseded")
    print("one push of a member at a time: the newer takes the place of one whose body does not come")


def memory(process):
    return next(int(line.split()[1]) >> 10 for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS"))


def unfinished(pivot):
    """Bodies that never end: 64 MB of them in all, however many connections bring them."""
    space = requests.get(pivot.url + "/_pivot/v1/spaces", timeout=30).json()["spaces"][0]
    before = memory(pivot.process)
    crowd = []
    for path, length, count in ((f"/_pivot/v1/spaces/{space}/push", 31 << 20, 10), ("/things/large", 1 << 20, 90),
                                ("/things/large?x=1", 1 << 20, 90)):
        for _ in range(count):
            connection = raw(pivot)
            crowd.append(connection)
            try:
                connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + b" " * (length - 1))
            except OSError:
                pass
    refused = set()
    end = time.monotonic() + 60
    while len(refused) < 180 - 70:
        assert time.monotonic() < end, ("bodies of more than 64 MB are held", len(refused))
        for connection in select.select(crowd[10:], [], [], 1)[0]:
            try:
                if b"Gimbal-Error: busy" in connection.recv(4096):
                    refused.add(connection)
            except ConnectionResetError:
                refused.add(connection)
    assert memory(pivot.process) - before < 160, "MB"
    # Small ones get through meanwhile, in one piece or in two.
    assert requests.post(pivot.url + "/things/small", data="1", timeout=30).status_code == 200
    with raw(pivot) as connection:
        connection.sendall(b"POST /things/small HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        time.sleep(0.2)
        connection.sendall(b"2")
        assert answer(connection) == (200, None)
    for connection in crowd:
        connection.close()
    end = time.monotonic() + 30
    while requests.post(pivot.url + "/things/large?x=1", data='"' + "x" * 1000000 + '"', timeout=30).status_code != 200:
        assert time.monotonic() < end, "what was given up is never given back"
    print("unfinished bodies: 64 MB in all, small values get through")


# What a space takes

def values(binaries):
    with Fleet(binaries, nodes=1) as fleet:
        pivot, node = fleet.servers

        def length(server, key):
            seen = requests.get(f"{server.url}/things/{key}", headers={"Gimbal-Read": "local"}, timeout=60)
            return len(seen.json()["data"]) if seen.status_code == 200 else None

        def store(server, key, size):
            value = '"' + "x" * (size - 2) + '"'
            status = requests.post(f"{server.url}/things/{key}", data=value, timeout=60).status_code
            if status == 200:
                fleet.wait_until(lambda: all(length(one, key) == size - 2 for one in fleet.servers))
            return status

        usual = list(pivot.arguments)
        for flags, limit in (([], 1 << 20), (["--value-bytes", str(3 << 20)], 3 << 20), ([], 3 << 20),
                             (["--value-bytes", str(16 << 20)], 16 << 20), (["--value-bytes", "1000"], 1000)):
            pivot.process.terminate()
            pivot.process.wait(60)
            pivot.arguments = usual + flags
            pivot.start()
            fleet.wait_until(lambda: requests.get(node.url + "/_gimbal/status", timeout=30).json()["following"])
            position = requests.get(pivot.url + "/_gimbal/status", timeout=30).json()["position"]
            fleet.wait_until(lambda: requests.get(node.url + "/_gimbal/status", timeout=30).json()["position"] >= position)
            for server in (pivot, node):
                assert store(server, "large", limit) == 200, (flags, server.binary)
                assert store(server, "large", limit + 1) == 413, (flags, server.binary)
    founded = configured(binaries, {"valueBytes": 2000, "maxClockAheadSeconds": 60})
    assert requests.post(founded.url + "/k", data='"' + "x" * 1998 + '"', timeout=30).status_code == 200
    assert requests.post(founded.url + "/k", data='"' + "x" * 1999 + '"', timeout=30).status_code == 413
    founded.stop()
    for flags in (["--value-bytes", str((16 << 20) + 1)], ["--value-bytes", "0"], ["--max-clock-ahead", "99999999"],
                  ["--allow-origin", "*"], ["--allow-origin", "null"], ["--allow-host", "http://a.example"], ["--allow-host", "*"]):
        ended(binaries, flags, 64, "usage")
    print("valueBytes: founded with, raised to 16 MiB, lowered; nodes follow; what is no value is refused at the start")


def ended(binaries, flags, status, code):
    """A server that does not start says why in one line and leaves no folder behind."""
    folder = tempfile.mkdtemp(prefix="gimbal-limits-") + "/data"
    ran = subprocess.run([f"{binaries}/pivot", "--data", folder, *flags], capture_output=True, text=True, timeout=60)
    lines = ran.stderr.splitlines()
    assert ran.returncode == status and len(lines) == 1 and lines[0].startswith(f"error [{code}]: "), (flags, ran)
    assert not os.path.exists(folder)
    os.rmdir(os.path.dirname(folder))


def addresses(binaries):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended(binaries, ["--listen", "127.0.0.1:%d" % taken.getsockname()[1]], 69, "address-in-use")
    ended(binaries, ["--listen", "203.0.113.7:0", "--insecure"], 69, "address-unusable")
    ended(binaries, ["--listen", "no-such-host.invalid:0", "--insecure"], 69, "address-unusable")
    print("an address that is taken or not ours: said in a sentence, and nothing is founded")


# The end

def stopping(binaries):
    """SIGTERM with clients that neither send nor take what they asked for."""
    os.environ["GIMBAL_SHUTDOWN_SECONDS"] = "2"
    server = Server("pivot", binaries, [])
    server.wait_until_ready()
    session = requests.Session()
    for index in range(30):
        assert session.post(f"{server.url}/things/{index}", data='"' + "x" * 50000 + '"', timeout=30).status_code == 200
    crowd = []
    for request in [b"GET /things/* HTTP/1.1\r\nHost: x\r\n\r\n" * 20] * 5 + [b"GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n" * 500] * 2 + [
            b"POST /things/half HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", b"GET /things/*?limit=1 HTTP",
            b"POST /_gimbal/import HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n1", b"",
            b"POST /things/half?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", b"GET /_gimbal/export HTTP/1.1\r\nHost: x\r\n\r\n"]:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((server.address.split(":")[0], int(server.address.split(":")[1])))
        connection.sendall(request)
        crowd.append(connection)
    taker = socket.socket()
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    taker.connect((server.address.split(":")[0], int(server.address.split(":")[1])))
    taker.sendall(b"GET /things/* HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1)
    acknowledged = 0
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    taken = b""
    while part := taker.recv(1 << 20):
        taken += part
    # In whole, by whoever takes it: every value and the end of the last chunk.
    assert taken.count(b"x" * 50000) == 30 and taken.endswith(b"0\r\n\r\n"), len(taken)
    try:
        for index in range(100000):
            session.post(f"{server.url}/things/late", data=str(index), timeout=30).raise_for_status()
            acknowledged = index
    except requests.RequestException:
        pass
    assert server.process.wait(60) == 0
    # The clients would have kept it for a minute.
    assert time.monotonic() - began < 30, time.monotonic() - began
    server.start()
    server.wait_until_ready()
    seen = requests.get(server.url + "/things/late", timeout=30)
    assert acknowledged == 0 or seen.json()["data"] >= acknowledged
    assert len(requests.get(server.url + "/things/*", timeout=30).json()) >= 30
    server.stop()
    del os.environ["GIMBAL_SHUTDOWN_SECONDS"]
    print("SIGTERM: ends within its time whatever clients do, and nothing acknowledged is lost")


if __name__ == "__main__":
    binaries = sys.argv[1]
    descriptors(binaries)
    places(binaries)
    with Fleet(binaries, nodes=0) as fleet:
        judged_by_the_head(fleet.servers[0])
        unfinished(fleet.servers[0])
    values(binaries)
    addresses(binaries)
    stopping(binaries)
