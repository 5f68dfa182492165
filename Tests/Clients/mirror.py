"""Keeps mirrors of collections and keys by subscription, as any client of the ooo protocol would: a snapshot, then RFC 6902
patches applied by a library that is not ours. At every quiet point each mirror has to be what GET answers."""

import asyncio
import copy
import json
import random

import jsonpatch
import requests
import websockets


class Mirror:
    query = ""

    def __init__(self, server, key, rng):
        self.server, self.key, self.rng = server, key, rng
        self.data, self.version = None, None
        self.snapshots = self.patches = self.reconnects = self.resumed = 0
        self.wanted = asyncio.Event()
        self.wanted.set()
        self.connection = None

    async def run(self):
        while True:
            await self.wanted.wait()
            query = "?" + "&".join(filter(None, [self.query, self.version and f"v={self.version}"]))
            resuming, first = self.version is not None, True
            protocols = ["bearer", "token"] if self.rng.random() < 0.5 else None
            try:
                async with websockets.connect(
                        f"{self.server.socket}/{self.key}{query}", subprotocols=protocols, max_size=None,
                        compression=None) as self.connection:
                    async for frame in self.connection:
                        assert isinstance(frame, bytes), "frames are binary"
                        message = json.loads(frame)
                        if resuming and first and not message["snapshot"]:
                            self.resumed += 1
                        first = False
                        await self.apply(message)
            except websockets.ConnectionClosed:
                pass
            self.reconnects += 1

    async def apply(self, message):
        if message["snapshot"]:
            self.data = message["data"]
            self.snapshots += 1
        else:
            self.data = jsonpatch.apply_patch(copy.deepcopy(self.data), message["data"])
            self.patches += 1
        self.version = message["version"]

    async def disconnect(self, seconds):
        """Goes away for a while, keeping what it has."""
        self.wanted.clear()
        if self.connection:
            await self.connection.close()
        await asyncio.sleep(seconds)
        self.wanted.set()


class NameMirror(Mirror):
    """Keeps a collection by the names of changed keys alone: reads what they hold, and everything when it is told to."""

    query = "changes=1"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.entries, self.session = {}, requests.Session()

    async def apply(self, message):
        if message["snapshot"]:
            self.entries = {meta["path"]: meta for meta in await asyncio.to_thread(self.read, self.key)}
            self.snapshots += 1
        else:
            for path in message["data"]:
                meta = await asyncio.to_thread(self.read, path)
                self.entries.pop(path, None)
                if meta:
                    self.entries[path] = meta
            self.patches += 1
        self.data = sorted(self.entries.values(), key=lambda meta: (-meta["created"], meta["path"]))
        self.version = message["version"]

    def read(self, key):
        answer = self.session.get(f"{self.server.url}/{key}", headers={"Gimbal-Read": "local"})
        assert answer.status_code in (200, 404), answer.text
        return answer.json() if answer.status_code == 200 else None
