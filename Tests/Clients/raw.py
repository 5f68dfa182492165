"""A socket that says exactly what it is told to, and HTTP answers and WebSocket frames as they stand on the wire."""

import base64
import os
import socket
import struct
import time


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin1").split("\r\n")
        self.line, self.head, self.body = lines[0], head, body
        self.status = int(lines[0].split()[1])
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    def __getitem__(self, name):
        """All values of a header, joined; None where there is none."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Raw:
    def __init__(self, server, patience=15):
        host, port = server.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=patience)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.rest += data
        return data != b""

    def take(self, count):
        while len(self.rest) < count:
            if not self._more():
                raise EOFError(f"closed behind {self.rest[:200]!r}")
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def until(self, mark):
        while mark not in self.rest:
            if not self._more():
                raise EOFError(f"closed behind {self.rest[:200]!r}")
        data, self.rest = self.rest.split(mark, 1)
        return data

    def answer(self, is_head=False):
        """One answer; the content of one without a length lasts until the end of the connection."""
        head = self.until(b"\r\n\r\n")
        answer = Answer(head, b"")
        if is_head or answer.status < 200 or answer.status in (204, 304):
            return answer
        if answer["Transfer-Encoding"] == "chunked":
            while size := int(self.until(b"\r\n"), 16):
                answer.body += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.take(2) == b"\r\n"
        elif answer["Content-Length"] is not None:
            answer.body = self.take(int(answer["Content-Length"]))
        else:
            answer.body = self.end()
        return answer

    def end(self):
        """What still comes before the server ends its side, which it has to do."""
        while self._more():
            pass
        data, self.rest = self.rest, b""
        return data

    def frame(self):
        """The kind of the next frame and its content."""
        first, second = self.take(2)
        assert second < 128, "servers mask nothing"
        length = second
        if length == 126:
            length, = struct.unpack("!H", self.take(2))
        elif length == 127:
            length, = struct.unpack("!Q", self.take(8))
        return first & 15, self.take(length)


def frame(opcode, payload=b"", final=True, reserved=0):
    """One frame of a client, masked."""
    assert len(payload) < 126
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([(128 if final else 0) | reserved << 4 | opcode, 128 | len(payload)]) + mask + masked


KEY = base64.b64encode(bytes(range(16))).decode()


def ask(server, request, is_head=False):
    """The answer to one request on a connection of its own."""
    with Raw(server) as raw:
        return raw.send(request).answer(is_head)


def get(target, more="", method="GET", version="1.1", host="Host: h\r\n"):
    return f"{method} {target} HTTP/{version}\r\n{host}{more}\r\n"


def post(target, body, more="", method="POST"):
    return f"{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}"


def handshake(target, more="", key=f"Sec-WebSocket-Key: {KEY}\r\n", version="Sec-WebSocket-Version: 13\r\n",
              connection="Connection: Upgrade\r\n", **others):
    return get(target, f"Upgrade: websocket\r\n{connection}{key}{version}{more}", **others)


def eventually(condition, patience=15):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
