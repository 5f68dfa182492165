"""A node that is not ours: signs requests (RFC 9421) and deltas with the independent reader's code, as well or as badly as it is told."""

import base64
import hashlib
import os
import sys
import time

import cbor2
import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Interop"))

from gimbal import hashes  # noqa: E402
from gimbal.cbor import Reader, encode, encode_array  # noqa: E402
from gimbal.cose import read_envelope  # noqa: E402
from gimbal.signatures import Signer  # noqa: E402
from gimbal.trust import decode_certificate  # noqa: E402
from makers.world import make_delta  # noqa: E402

START = [0, 0, 0, hashes.ZEROS]


def now(ahead=0):
    """A stamp of this moment, or of some seconds later."""
    return int((time.time() + ahead) * 1000) << 16


def envelope(data):
    reader = Reader(data)
    read = read_envelope(reader)
    reader.end()
    return read


class Member:
    def __init__(self, server, seed=None):
        self.url = server.url
        self.signer = Signer(seed or os.urandom(32))
        self.space = requests.get(self.url + "/_pivot/v1/spaces", timeout=10).json()["spaces"][0]
        self.base = f"/_pivot/v1/spaces/{self.space}"
        certificate = requests.get(self.url + self.base + "/certificate", timeout=10).content
        self.pivot = decode_certificate(envelope(certificate).payload).pivot
        self.challenge, self.counter = bytes(16), 0
        self.incarnation = int.from_bytes(os.urandom(8), "big")
        self.next, self.previous = 1, hashes.ZEROS

    def nonce(self):
        self.counter += 1
        return self.challenge + self.counter.to_bytes(8, "big")

    def headers(self, method, path, query="", body=None, nonce=None, signer=None):
        """What signs a request."""
        signer, nonce = signer or self.signer, nonce or self.nonce()
        covered = ["@method", "@path", "@query"] + (["content-digest"] if body is not None else [])
        parameters = "({});keyid=\"{}\";nonce=\"{}\";alg=\"ed25519\"".format(
            " ".join(f'"{name}"' for name in covered), signer.public.hex(), nonce.hex())
        values = {"@method": method, "@path": path, "@query": "?" + query}
        headers = {}
        if body is not None:
            digest = base64.b64encode(hashlib.sha512(body).digest()).decode()
            headers["Content-Digest"] = values["content-digest"] = f"sha-512=:{digest}:"
        lines = [f'"{name}": {values[name]}' for name in covered] + [f'"@signature-params": {parameters}']
        signature = base64.b64encode(signer.sign("\n".join(lines).encode())).decode()
        return headers | {"Signature-Input": f"gimbal={parameters}", "Signature": f"gimbal=:{signature}:"}

    def send(self, method, path, query="", body=None, headers=None):
        url = self.url + path + (f"?{query}" if query else "")
        return requests.request(method, url, data=body, headers=headers, timeout=20)

    def refresh(self):
        """A challenge of the server's, unused."""
        answer = self.send("POST", self.base + "/join", body=b"")
        self.challenge, self.counter = bytes.fromhex(answer.headers["Gimbal-Challenge"]), 0

    def ask(self, method, route, query="", body=None):
        """A request that is signed well. Returns the status and the verdict, which the pivot signed for this request."""
        nonce = self.nonce()
        path = f"{self.base}/{route}"
        answer = self.send(method, path, query, body, self.headers(method, path, query, body, nonce))
        read = envelope(answer.content)
        assert read.is_signed_by(self.pivot), "the pivot did not sign this"
        fields = cbor2.loads(read.payload)
        assert fields[1].hex() == self.space and fields[2] == nonce, "an answer to another request"
        return answer.status_code, fields[3]

    def join(self):
        self.refresh()
        assert self.ask("POST", "join", body=b"") == (200, "accepted")

    def delta(self, operations, **changes):
        """The next delta of this member's replica, unless it is told otherwise."""
        fields = {
            "author": self.signer, "first": self.next, "stamp": now(), "previous": self.previous,
            "incarnation": self.incarnation, "space": bytes.fromhex(self.space)} | changes
        author = fields.pop("author")
        return make_delta(author, operations, **fields)

    def push(self, *deltas, cursor=START):
        return self.push_bytes(*(one.encoded for one in deltas), cursor=cursor)

    def push_bytes(self, *deltas, cursor=START):
        return self.ask("POST", "push", body=push_body(deltas, cursor))

    def advance(self, delta):
        self.next, self.previous = delta.header.last + 1, delta.header.hash


def push_body(deltas, cursor=START):
    return encode_array([encode("gimbal.push.1"), encode(cursor), encode_array(list(deltas))])
