"""A pivot that is not ours: signed answers, pages and snapshots from a log that it makes up, as true or as false as it is told."""

import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from member import Signer, encode, encode_array, hashes, make_delta, now
from gimbal.cose import seal
from gimbal.deltas import verify_delta
from gimbal.digest import head_item, replica_bucket, state_digest
from gimbal.entries import DeltaEntry, leaf_hash
from gimbal.state import State
from gimbal.trust import Certificate, Checkpoint
from makers.world import assign, put


def milliseconds():
    return int(time.time() * 1000)


class LyingPivot:
    """Honest until `page`, `snapshot` or `answers` is set: then what they make is sent instead."""

    def __init__(self):
        root, self.key = Signer(os.urandom(32)), Signer(os.urandom(32))
        self.space, self.epoch = root.public, (1, 77)
        self.certificate = seal(root, Certificate(self.space, self.key.public, 1, milliseconds()).payload).encoded
        self.entries, self.leaves, self.state, self.cap = [], [], State(), 0
        self.last, self.head = 0, hashes.ZEROS
        self.members, self.own = set(), None
        self.page = self.snapshot = None
        self.answers = {}
        self.lock = threading.RLock()
        self.write(assign("_settings", json.dumps({"patterns": ["things/*", "settings"], "maxClockAhead": 30000})))
        self.write(put("things/a", '"x"'))
        pivot = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                pivot.handle(self)

            do_POST = do_GET

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                # Nodes go away when they have seen enough.
                pass

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # The log

    @property
    def position(self):
        return len(self.entries)

    @property
    def root(self):
        return hashes.root(self.leaves)

    def delta(self, operations, **changes):
        fields = {"first": self.last + 1, "stamp": now(), "previous": self.head, "incarnation": 5, "space": self.space} | changes
        return make_delta(fields.pop("by", self.key), operations, **fields)

    def write(self, *operations, cap=None, stamp=None):
        """An entry of its own, with the cap that an honest pivot gives it."""
        sealed = self.delta(operations, stamp=stamp or now())
        self.last, self.head = sealed.header.last, sealed.header.hash
        self.cap = cap or max(self.cap + 1, milliseconds() + 30000 << 16)
        entry = DeltaEntry(self.cap, (), sealed)
        self.state.apply(entry, verify_delta(sealed))
        self.leaves.append(leaf_hash(entry))
        self.entries.append(entry)

    def checkpoint(self, **changes):
        fields = {
            "space": self.space, "epoch": self.epoch, "position": self.position, "first_position": 1,
            "pivot_time": milliseconds(), "greatest_stamp": self.cap, "state_digest": self.state.digest, "log_root": self.root}
        return seal(self.key, Checkpoint(**(fields | changes)).payload).encoded

    def honest_page(self, after, entries=None, **changes):
        entries = self.entries[after:] if entries is None else entries
        return encode_array([
            encode("gimbal.page.1"), encode(after), encode_array([entry.encoded for entry in entries]), self.checkpoint(**changes)])

    def made_up_snapshot(self, position=None, heads=None):
        """Of the log's real entries, at any position: the right edge of the log is made up to fit."""
        position, heads = position or self.position, self.state.heads | (heads or {})
        parts = [os.urandom(32) for _ in range(bin(position).count("1"))]
        root = parts[-1]
        for left in reversed(parts[:-1]):
            root = hashes.node(left, root)
        items = self.state.write_items() + [
            (replica_bucket(*replica), head_item((*replica, sequence), hash)) for replica, (sequence, hash) in sorted(heads.items())]
        checkpoint = self.checkpoint(position=position, state_digest=state_digest(items), log_root=root)
        body = encode_array([
            encode("gimbal.snapshot.1"), encode(self.space), encode_array([self.certificate]), encode_array([checkpoint]),
            encode([position, parts])])
        for place, entry in enumerate(self.entries, 1):
            body += encode_array([encode(1), encode(0), encode(place), entry.encoded])
        for replica, (sequence, hash) in sorted(heads.items()):
            body += encode([2, *replica, sequence, hash])
        return body + encode([4, len(self.entries), len(heads), 0]) + encode([0, 0])

    # Requests

    def answer(self, nonce, verdict):
        place = self.answers.get("place", (self.epoch, self.position, self.root))
        return seal(self.key, encode([
            "gimbal.answer.1", self.space, nonce, verdict, 0, hashes.ZEROS, [*place[0], place[1], place[2]],
            self.answers.get("pivot_time", milliseconds()), ""])).encoded

    def handle(self, request):
        try:
            self.route(request, urlparse(request.path))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def route(self, request, target):
        request.rfile.read(int(request.headers.get("content-length") or 0))
        signature = request.headers.get("Signature-Input") or ""
        nonce, author = (
            bytes.fromhex(found.group(1)) if (found := re.search(f'{name}="([0-9a-f]+)"', signature)) else b""
            for name in ("nonce", "keyid"))
        query = parse_qs(target.query)
        route = target.path.rsplit("/", 1)[-1]
        if route == "spaces":
            space = self.space.hex()
            self.reply(request, 200, json.dumps({"spaces": [space], "named": [{"space": space, "name": "main"}]}).encode())
        elif route == "certificate":
            self.reply(request, 200, self.certificate)
        elif route == "join":
            with self.lock:
                if author not in self.members:
                    self.members.add(author)
                    self.write(put(f"_members/{author.hex()}", json.dumps({"name": "n", "writes": ["**"]})))
            self.reply(request, 200, self.answer(nonce, "accepted"))
        elif route == "place":
            self.reply(request, 200, self.answer(nonce, "current"))
        elif route == "push":
            request.close_connection = True
        elif route == "log":
            self.own = (author, int(query["own"][0], 16)) if "own" in query else self.own
            position = int(query["position"][0])
            if self.snapshot and position < 1000:
                return self.reply(request, 410, self.answer(nonce, "gone"))
            self.stream(request, position)
        elif route == "snapshot":
            self.begin(request)
            self.frame(request, self.snapshot())
            self.chunk(request, b"")
        else:
            self.reply(request, 404, b"")

    def reply(self, request, status, body):
        request.send_response(status)
        request.send_header("Content-Type", "application/cose")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def begin(self, request):
        request.send_response(200)
        request.send_header("Content-Type", "application/vnd.gimbal.pages")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()

    def chunk(self, request, data):
        request.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")
        request.wfile.flush()

    def frame(self, request, page):
        self.chunk(request, len(page).to_bytes(4, "big") + page)

    def stream(self, request, position):
        self.begin(request)
        self.frame(request, b"")
        lie = None
        for _ in range(3000):
            with self.lock:
                page = None
                if self.page and lie != self.page:
                    lie, page = self.page, self.page(position)
                elif not self.page and self.position > position:
                    page, position = self.honest_page(position), self.position
            if page:
                self.frame(request, page)
            time.sleep(0.02)
