#!/usr/bin/env python3
"""Readers that misbehave harm nobody: check_readers.py BINARIES"""

import asyncio
import json
import socket
import sys
import time

import requests
import websockets

from fleet import Fleet

VALUE = "x" * 20000


def handshake(server, key, extra=""):
    """A subscription on a bare socket with a small receive buffer, answered by `HTTP/1.1 101`."""
    host, port = server.address.split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    raw.sendall((f"GET /{key} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    return raw, head.decode()


def frames(raw, deadline):
    """Everything that comes until the connection ends, frame by frame."""
    raw.settimeout(deadline)

    def exactly(count):
        data = b""
        while len(data) < count:
            part = raw.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    while True:
        try:
            first, second = exactly(2)
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(exactly(2), "big")
            elif length == 127:
                length = int.from_bytes(exactly(8), "big")
            yield first & 0x0F, exactly(length)
        except (EOFError, ConnectionResetError, TimeoutError):
            return


def write(server, count, start=0):
    session = requests.Session()
    for index in range(start, start + count):
        answer = session.post(f"{server.url}/things/slow", data=json.dumps({"n": index, "v": f"{index} {VALUE}"}))
        assert answer.status_code == 200, answer.text


async def slow_reader(fleet):
    """One that stops reading falls behind, and gets one snapshot instead of everything when it reads again."""
    server = fleet.servers[0]
    raw, head = handshake(server, "things/slow")
    assert head.startswith("HTTP/1.1 101"), head
    async with websockets.connect(f"{server.socket}/things/slow", max_size=None, compression=None) as other:
        await other.recv()
        started = time.monotonic()
        writing = asyncio.to_thread(write, server, 1000)
        seen, last = 0, None

        async def follow():
            nonlocal seen, last
            while last != 999:
                message = json.loads(await other.recv())
                seen += 1
                if message["snapshot"]:
                    last = message["data"]["data"]["n"]
                else:
                    for change in message["data"]:
                        if change["path"] == "/data/n":
                            last = change["value"]
        await asyncio.gather(writing, follow())
        spent = time.monotonic() - started
    got = []
    for opcode, payload in frames(raw, 3):
        if opcode == 2:
            got.append(json.loads(payload))
        if got and got[-1]["snapshot"] and got[-1]["data"].get("data", {}).get("n") == 999:
            break
    raw.close()
    assert got[-1]["snapshot"] and got[-1]["data"]["data"]["n"] == 999, got[-1]
    assert len(got) < 700, len(got)
    print(f"slow reader: {len(got)} messages instead of {seen}, the last a fresh snapshot; the other reader had all in {spent:.1f} s")


async def dead_reader(fleet):
    """One that never reads again is closed, with the reason where it still looks."""
    server = fleet.servers[1]
    raw, _ = handshake(server, "things/slow")
    await asyncio.to_thread(write, server, 600)
    await asyncio.sleep(17)
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames(raw, 10) if opcode == 8]
    raw.close()
    assert codes in ([1008], []), codes
    pools = requests.get(server.url + "/?api=state").json()["pools"]
    assert all(pool["connections"] == 0 for pool in pools), pools
    print(f"dead reader: closed, code {codes[0] if codes else 'not seen'}; no connection is left in the pools")


async def refusals(fleet):
    """What cannot be subscribed to gets an ordinary answer, and the connection its end."""
    server = fleet.servers[0]
    for key, status in [("_settings", 400), ("a//b", 400), ("things/**/x", 400)]:
        raw, head = handshake(server, key)
        assert head.startswith(f"HTTP/1.1 {status} "), (key, head)
        assert "connection: close" in head.lower(), head
        raw.close()
    raw, head = handshake(server, "settings", "Sec-WebSocket-Protocol: bearer, token\r\n")
    assert "sec-websocket-protocol: bearer\r\n" in head.lower(), head
    # An unmasked frame of a client is against RFC 6455 §5.1.
    raw.sendall(b"\x81\x01x")
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames(raw, 8) if opcode == 8]
    assert codes == [1002], codes
    raw, _ = handshake(server, "settings")
    raw.sendall(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask")
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames(raw, 8) if opcode == 8]
    assert codes == [1009], codes
    async with websockets.connect(server.socket + "/", compression=None) as clock:
        first, second = int(await clock.recv()), int(await clock.recv())
        assert 0.5e9 < second - first < 3e9 and abs(first - time.time_ns()) < 5e9
        await asyncio.wait_for(await clock.ping(), 5)
    print("refusals, hostile frames, clock, ping: as they should be")


async def stop(fleet):
    """A server that stops says so."""
    async with websockets.connect(fleet.servers[2].socket + "/things/*", compression=None) as connection:
        await connection.recv()
        fleet.servers[2].process.terminate()
        try:
            await asyncio.wait_for(connection.recv(), 10)
            raise AssertionError("a message after the end")
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd and closed.rcvd.code == 1001, closed
    print("a stopping server closes with 1001")


async def check(fleet):
    await refusals(fleet)
    await slow_reader(fleet)
    await dead_reader(fleet)
    await stop(fleet)


if __name__ == "__main__":
    with Fleet(sys.argv[1]) as fleet:
        asyncio.run(check(fleet))
