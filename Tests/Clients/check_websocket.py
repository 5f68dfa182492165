#!/usr/bin/env python3
"""Handshakes and frames of every kind against RFC 6455: check_websocket.py BINARIES"""

import sys

from fleet import Fleet
from raw import KEY, Raw, ask, frame, get, handshake, post


def after(pivot, *frames):
    """What comes behind the first message when a client says this; the closing is the last that comes."""
    with Raw(pivot) as raw:
        assert raw.send(handshake("/things/0")).answer().status == 101
        assert raw.frame()[0] == 2
        for data in frames:
            raw.send(data)
        kind, payload = raw.frame()
        if kind == 8:
            raw.send(frame(8, payload[:2]))
            assert raw.end() == b"", "something came behind the closing"
        return kind, payload


def code(answer):
    kind, payload = answer
    return int.from_bytes(payload[:2], "big") if kind == 8 and len(payload) >= 2 else answer


def closings(pivot):
    assert after(pivot, frame(8)) == (8, b"")
    for number in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999]:
        assert code(after(pivot, frame(8, number.to_bytes(2, "big") + b"bye"))) == number, number
    for number in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]:
        assert code(after(pivot, frame(8, number.to_bytes(2, "big")))) == 1002, number
    assert code(after(pivot, frame(8, b"\x03"))) == 1002
    assert code(after(pivot, frame(8, b"\x03\xe8\xff\xfe"))) == 1007
    print("closings: said back, or refused where there is no such code (RFC 6455 §7.4)")


def frames(pivot):
    for reserved in [1, 2, 4, 7]:
        for opcode in [1, 2, 9]:
            assert code(after(pivot, frame(opcode, b"x", reserved=reserved), frame(9, b"alive"))) == 1002, (reserved, opcode)
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]:
        assert code(after(pivot, frame(opcode, b"x"), frame(9, b"alive"))) == 1002, opcode
    # Messages in parts: begun once, gone on with, ended; what steers may come between, in one part.
    assert code(after(pivot, frame(0, b"x"), frame(9, b"alive"))) == 1002
    assert code(after(pivot, frame(1, b"x", final=False), frame(1, b"x"), frame(9, b"alive"))) == 1002
    assert code(after(pivot, frame(9, b"x", final=False))) == 1002
    parts = [frame(1, b"x", final=False), frame(0, b"y", final=False), frame(9, b"between"), frame(0, b"z"), frame(9, b"behind")]
    assert after(pivot, *parts) == (10, b"between")
    assert after(pivot, *parts[:2], parts[3], parts[4]) == (10, b"behind")
    print("frames: reserved bits and kinds end the connection with 1002")


def handshakes(pivot):
    def answer(**parts):
        return ask(pivot, handshake("/things/0", **parts))

    for connection in ["Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade\r\nConnection: keep-alive"]:
        assert answer(connection=f"Connection: {connection}\r\n").status == 101, connection
    for connection in ["", "Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: x-upgrade\r\n"]:
        refused = answer(connection=connection)
        assert (refused.status, refused["Gimbal-Error"]) == (400, "bad-upgrade"), (connection, refused.head)
    for key in ["", "x", KEY[:-4], KEY + "AAAA", "!" * 24]:
        refused = answer(key=f"Sec-WebSocket-Key: {key}\r\n" if key else "")
        assert (refused.status, refused["Gimbal-Error"]) == (400, "bad-upgrade"), (key, refused.head)
    assert answer(more=f"Sec-WebSocket-Key: {KEY[::-1]}\r\n").status == 400
    for version in ["", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version: 13, 8\r\n",
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"]:
        refused = answer(version=version)
        assert (refused.status, refused["Gimbal-Error"]) == (426, "bad-upgrade"), (version, refused.head)
        assert refused["Sec-WebSocket-Version"] == "13" and refused["Upgrade"] == "websocket", refused.head
        assert {part.strip().lower() for part in refused["Connection"].split(",")} == {"upgrade", "close"}, refused.head
    # Another protocol, or another method, is an ordinary request.
    assert ask(pivot, get("/things/0", "Upgrade: h2c\r\nConnection: Upgrade\r\n")).status == 200
    assert ask(pivot, post("/things/0", "1", "Upgrade: websocket\r\nConnection: Upgrade\r\n")).status == 200
    print("handshakes: with Connection, one key of 16 bytes and version 13 (RFC 6455 §4.2.1)")


with Fleet(sys.argv[1], nodes=0) as fleet:
    pivot = fleet.servers[0]
    ask(pivot, post("/things/0", "1"))
    closings(pivot)
    frames(pivot)
    handshakes(pivot)
