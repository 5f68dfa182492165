"""Real servers for clients that are not ours: one pivot and some nodes, on free ports and folders of their own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import requests


class Server:
    """One `pivot` or `node` process; it keeps its folder and its address over its ends."""

    def __init__(self, program, binaries, arguments):
        self.folder = tempfile.mkdtemp(prefix="gimbal-clients-")
        self.binary, self.arguments = os.path.join(binaries, program), arguments
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        self.started = time.time()
        self.process = subprocess.Popen(
            [self.binary, "--listen", self.address, "--data", self.folder, *self.arguments],
            stdout=subprocess.PIPE, stderr=open(self.folder + ".log", "a"), text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{self.binary} said {line!r}: " + open(self.folder + ".log").read())
        self.address = line.split()[-1]
        self.url = "http://" + self.address
        self.socket = "ws://" + self.address

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def wait_until_ready(self):
        while requests.get(self.url + "/_health/ready", timeout=5).status_code != 200:
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.remove(self.folder + ".log")


class Fleet:
    def __init__(self, binaries, nodes=2):
        self.servers = [Server("pivot", binaries, ["--sync", "things/*", "--sync", "settings", "--open-enrollment"])]
        for _ in range(nodes):
            self.servers.append(Server("node", binaries, ["--pivot", self.servers[0].url]))
        for server in self.servers:
            server.wait_until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()

    def pause(self, server):
        server.process.send_signal(signal.SIGSTOP)

    def resume(self, server):
        server.process.send_signal(signal.SIGCONT)

    def wait_until(self, condition, patience=30):
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.05)

    def wait_until_quiet_of(self, path):
        """Every server's own copy has this key, and no outbox anything."""
        self.wait_until(lambda: all(
            requests.get(f"{server.url}/{path}", headers={"Gimbal-Read": "local"}, timeout=10).status_code == 200
            and requests.get(server.url + "/_gimbal/status", timeout=10).json().get("outbox", 0) == 0
            for server in self.servers))

    def wait_until_quiet(self):
        """Every server holds the same, and nothing is on its way."""
        paths = ["/things/*", "/settings"]
        previous = None
        while True:
            seen = [
                [(answer.status_code, answer.text) for answer in
                 (requests.get(server.url + path, headers={"Gimbal-Read": "latest"}, timeout=10) for path in paths)]
                for server in self.servers]
            if seen == previous and all(state == seen[0] for state in seen):
                return
            previous = seen
            time.sleep(0.2)
