#!/usr/bin/env python3
"""A pivot that is slow, silent, or answers nonsense neither blocks nor corrupts a node: check_hostile_pivots.py BINARIES"""

import asyncio
import os
import random
import sys
import threading
import time

import requests

from fleet import Fleet, Server


class Proxy:
    """Between a node and its pivot. What it does to what passes can be changed at any time; a connection keeps what it began with."""

    def __init__(self, target):
        self.host, port = target.split(":")
        self.port = int(port)
        self.mode = "honest"
        self.random = random.Random(7)
        self.writers = set()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=[started], daemon=True).start()
        started.wait()

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()

    def become(self, mode, cuts=True):
        """From now on; connections that are open end, unless they are to hang."""
        self.mode = mode
        if cuts:
            self.loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self.writers)])

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        try:
            await getattr(self, "_" + self.mode)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _relay(self, reader, writer, change):
        up, down = await asyncio.open_connection(self.host, self.port)

        async def send():
            while data := await reader.read(1 << 16):
                down.write(data)
                await down.drain()
            down.close()

        sending = asyncio.ensure_future(send())
        seen = 0
        try:
            while data := await up.read(1 << 16):
                data = await change(data, seen)
                if data is None:
                    return
                seen += len(data)
                writer.write(data)
                await writer.drain()
        finally:
            sending.cancel()
            down.close()

    async def _honest(self, reader, writer):
        async def change(data, _):
            return data
        await self._relay(reader, writer, change)

    async def _late(self, reader, writer):
        async def change(data, _):
            await asyncio.sleep(0.6)
            return data
        await self._relay(reader, writer, change)

    async def _dripping(self, reader, writer):
        async def change(data, _):
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.002)
            return b""
        await self._relay(reader, writer, change)

    async def _flipping(self, reader, writer):
        async def change(data, _):
            changed = bytearray(data)
            changed[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            return bytes(changed)
        await self._relay(reader, writer, change)

    async def _cutting(self, reader, writer):
        async def change(data, seen):
            writer.write(data[: self.random.randrange(len(data) + 1)])
            return None
        await self._relay(reader, writer, change)

    async def _doubling(self, reader, writer):
        async def change(data, _):
            return data + data
        await self._relay(reader, writer, change)

    async def _silent(self, reader, writer):
        await reader.read()
        await asyncio.sleep(3600)

    async def _closing(self, reader, writer):
        pass

    async def _answering(self, reader, writer, answer):
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    async def _noise(self, reader, writer):
        await self._answering(reader, writer, os.urandom(5000))

    async def _page(self, reader, writer):
        await self._answering(reader, writer, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>")

    async def _failing(self, reader, writer):
        await self._answering(reader, writer, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")

    async def _unsigned(self, reader, writer):
        await self._answering(
            reader, writer, b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 4\r\n\r\n\xd2\x84\x40\xa0")

    async def _challenging(self, reader, writer):
        await self._answering(
            reader, writer, b"HTTP/1.1 401 No\r\nGimbal-Challenge: " + b"ab" * 16 + b"\r\nContent-Length: 0\r\n\r\n")

    async def _endless(self, reader, writer, head=b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\n\r\n", part=bytes(1 << 16)):
        await reader.read(1)
        writer.write(head)
        for _ in range(4000):
            writer.write(part)
            await writer.drain()

    async def _endless_head(self, reader, writer):
        await self._endless(reader, writer, b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 8000 + b"\r\n")

    async def _huge_frame(self, reader, writer):
        await self._endless(
            reader, writer, b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.gimbal.pages\r\n\r\n" + b"\xff" * 4)


MODES = ["late", "dripping", "flipping", "cutting", "doubling", "closing", "noise", "page", "failing", "unsigned", "challenging",
         "endless", "endless_head", "huge_frame"]


def status(server):
    return requests.get(server.url + "/_gimbal/status", timeout=10).json()


def memory(server):
    text = requests.get(server.url + "/metrics", timeout=10).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("process_resident_memory_bytes "))


def wait_for(what, condition, patience=60):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.05)


def use(pivot, node, mode, written):
    """Writes and reads at the node and at the pivot while the way between them is what it is."""
    before = memory(node)
    for number in range(8):
        # A client that has to wait for the pivot fails here by its timeout.
        path = f"things/{mode}-{number}"
        answer = requests.post(f"{node.url}/{path}", data=str(number), timeout=10)
        assert answer.status_code == 200, (mode, answer.text)
        written[path] = number
        answer = requests.get(f"{node.url}/{path}", timeout=10)
        assert answer.json()["data"] == number, mode
        assert requests.get(f"{node.url}/things/first", timeout=10).json()["data"] == "before", mode
        requests.post(f"{pivot.url}/things/at-pivot-{mode}-{number}", data=str(number), timeout=10)
        written[f"things/at-pivot-{mode}-{number}"] = number
        time.sleep(0.1)
    grown = memory(node) - before
    assert grown < 300e6, f"{mode}: {grown / 1e6:.0f} MB more"


def check(binaries):
    with Fleet(binaries, nodes=1) as fleet:
        pivot = fleet.servers[0]
        proxy = Proxy(pivot.address)
        node = Server("node", binaries, ["--pivot", f"http://{proxy.address}"])
        fleet.servers.append(node)
        node.wait_until_ready()
        assert requests.post(f"{node.url}/things/first", data='"before"', timeout=10).status_code == 200
        fleet.wait_until_quiet()
        written = {}
        for mode in MODES:
            proxy.become(mode)
            use(pivot, node, mode, written)
        proxy.become("honest")
        wait_for("everything arrives", lambda: status(node)["outbox"] == 0 and status(node)["stateDigest"] == status(pivot)["stateDigest"])
        # Connections that were silent stay open and silent: only the node's own patience ends them.
        proxy.become("silent")
        use(pivot, node, "silent", written)
        proxy.become("honest", cuts=False)
        wait_for("everything arrives", lambda: status(node)["outbox"] == 0 and status(node)["stateDigest"] == status(pivot)["stateDigest"])
        assert "fault" not in status(node), status(node)
        for path, value in written.items():
            for server in fleet.servers:
                answer = requests.get(f"{server.url}/{path}", headers={"Gimbal-Read": "latest"}, timeout=30)
                assert answer.status_code == 200 and answer.json()["data"] == value, (path, answer.text)
        print(f"{len(MODES) + 1} ways in which a pivot can be bad: the node served all the while, and nothing is lost or changed")


if __name__ == "__main__":
    check(sys.argv[1])
