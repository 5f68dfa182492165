#!/usr/bin/env python3
"""DELETE of a list is one event for whoever subscribed, and one answer after all of it is on disk: check_deletes.py BINARIES"""

import asyncio
import copy
import http.client
import json
import sys
import threading
import time

import requests
import websockets

from fleet import Fleet


class Listener:
    """Keeps every message of one subscription, on a thread of its own."""

    def __init__(self, server, target):
        self.messages = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_until_complete, args=[self._listen(f"{server.socket}/{target}")], daemon=True).start()
        self.wait(lambda: self.messages, "the first message")

    async def _listen(self, url):
        async with websockets.connect(url, max_size=None, compression=None) as connection:
            async for frame in connection:
                self.messages.append(json.loads(frame))

    def wait(self, condition, what, patience=120):
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"never happened: {what}"
            time.sleep(0.01)


def fill(server, collection, count):
    """Plain writes over a few connections."""
    def write(part):
        connection = http.client.HTTPConnection(server.address, timeout=60)
        for number in part:
            connection.request("POST", f"/{collection}/k{number}", str(number))
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
    threads = [threading.Thread(target=write, args=[range(first, count, 8)]) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def items(server, target):
    return requests.get(f"{server.url}/{target}", headers={"Gimbal-Read": "local"}, timeout=60).json()


def all_hold(fleet, target, count):
    def total(server):
        answer = requests.get(f"{server.url}/{target}?limit=1", headers={"Gimbal-Read": "local"}, timeout=60)
        return int(answer.headers["Gimbal-Total"])
    fleet.wait_until(lambda: all(total(server) == count for server in fleet.servers), 120)


def quiet(fleet):
    """Every outbox is empty and every digest the same: no receipt is under way."""
    def shown():
        states = [requests.get(server.url + "/_gimbal/status", timeout=20).json() for server in fleet.servers]
        return sum(state.get("outbox", 0) for state in states) == 0 and len({state["stateDigest"] for state in states}) == 1
    fleet.wait_until(shown, 120)


def empties(message):
    return message["snapshot"] and message["data"] == []


def one_event(fleet, deleting, size):
    """A list is deleted at one server: there it is one message, and wherever else it is it is gone with its last one."""
    fill(deleting, "things", size)
    all_hold(fleet, "things/*", size)
    quiet(fleet)
    lists = [Listener(server, "things/*") for server in fleet.servers]
    key, names = Listener(deleting, "things/k0"), Listener(deleting, "things/*?changes=1")
    assert len(lists[0].messages[0]["data"]) == size
    begin = time.monotonic()
    answer = requests.delete(f"{deleting.url}/things/*", timeout=120)
    took = time.monotonic() - begin
    assert answer.status_code == 204 and answer.text == "", answer.text
    assert items(deleting, "things/*") == [], "the answer comes after all of it is gone"
    for listener in lists:
        listener.wait(lambda: empties(listener.messages[-1]), "an empty list")
    key.wait(lambda: len(key.messages) > 1, "the key is gone")
    names.wait(lambda: len(names.messages) > 1, "the names are told")
    all_hold(fleet, "things/*", 0)
    quiet(fleet)
    here = lists[fleet.servers.index(deleting)]
    counts = [len(listener.messages) - 1 for listener in lists]
    assert len(here.messages) == 2, f"{size} members: {counts} messages: {[l.messages for l in lists] if size < 9 else None}"
    # A delta holds 4,096 operations, and a commit of the log is told as one.
    assert all(count == 1 for count in counts) or size > 4096, f"{size} members: {counts} messages: {[l.messages for l in lists] if size < 9 else None}"
    # At a node the receipt names the keys once more: who listens to names alone cannot be told that nothing is new.
    assert len(key.messages) == 2 and len(names.messages) <= (2 if here is lists[0] else 3), (len(key.messages), len(names.messages))
    assert sorted(names.messages[1]["data"]) == ([] if size > 1000 else sorted(f"things/k{number}" for number in range(size)))
    print(f"{size} members deleted at a {deleting.binary.rsplit('/', 1)[-1]}: {counts} messages, {took:.2f} s")


def part_of_a_list(fleet, server):
    """A subscription to more than what is deleted gets one message too, and keeps the rest."""
    fill(server, "things", 50)
    requests.post(f"{server.url}/settings", data='"stays"', timeout=10)
    wide = Listener(server, "**")
    before = len(wide.messages[0]["data"])
    requests.delete(f"{server.url}/things/*", timeout=60)
    wide.wait(lambda: len(wide.messages) > 1, "a message")
    time.sleep(0.3)
    assert len(wide.messages) == 2, len(wide.messages)
    left = before - len(wide.messages[1]["data"]) if not wide.messages[1]["snapshot"] else len(wide.messages[1]["data"])
    assert left == before - 50, (before, left)
    all_hold(fleet, "things/*", 0)
    print("a wider list: one message")


def others_go_on(fleet, server):
    """What others write meanwhile is told at once, and what came after the request began stays."""
    fill(server, "things", 4500)
    listener = Listener(server, "things/*")
    stop, pushed, waits = threading.Event(), [], []

    def push():
        while not stop.is_set():
            begin = time.monotonic()
            pushed.append(requests.post(f"{server.url}/things/*", data='"new"', timeout=30).json()["index"])
            waits.append(time.monotonic() - begin)
    thread = threading.Thread(target=push)
    first = requests.post(f"{server.url}/things/*", data='"old"', timeout=30).json()["index"]
    deleting = threading.Thread(target=lambda: requests.delete(f"{server.url}/things/*", timeout=120))
    deleting.start()
    thread.start()
    deleting.join()
    stop.set()
    thread.join()
    left = {item["path"].rsplit("/", 1)[-1] for item in items(server, "things/*")}
    assert first not in left and left <= set(pushed), left - set(pushed)
    missing = [index for index in pushed if index not in left]
    # One that came before the picture was taken is gone with it.
    assert len(missing) <= 2, f"{len(missing)} of {len(pushed)} went"
    time.sleep(0.3)
    listener.wait(lambda: {item["path"] for item in replay(listener.messages)} == {f"things/{index}" for index in left}, "the rest is told")
    requests.delete(f"{server.url}/things/*", timeout=60)
    all_hold(fleet, "things/*", 0)
    print(f"{len(pushed)} writes while a list was deleted: all stay, the longest took {max(waits):.2f} s")


def replay(messages):
    import jsonpatch
    data = None
    for message in messages:
        data = copy.deepcopy(message["data"]) if message["snapshot"] else jsonpatch.apply_patch(data, message["data"], in_place=True)
    return data


def check(fleet):
    pivot, node = fleet.servers[:2]
    for server in (pivot, node):
        for size in (1, 10, 10, 100, 1001):
            one_event(fleet, server, size)
    one_event(fleet, pivot, 4500)
    part_of_a_list(fleet, pivot)
    part_of_a_list(fleet, node)
    others_go_on(fleet, pivot)
    assert requests.delete(f"{pivot.url}/things/*", timeout=10).status_code == 204, "nothing there is nothing to do"


if __name__ == "__main__":
    with Fleet(sys.argv[1], nodes=2) as fleet:
        check(fleet)
