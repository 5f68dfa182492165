#!/usr/bin/env python3
"""Thousands of random changes on several servers while mirrors follow all of them: check_mirrors.py BINARIES [CHANGES] [SEED]"""

import asyncio
import json
import random
import sys
import time

import requests

from fleet import Fleet
from mirror import Mirror, NameMirror

EMPTY = {"created": 0, "updated": 0, "index": "", "data": {}}
KEYS = ["things/*", "things/k1", "settings", "*/k2", "things/**"]


def value(rng, depth=0):
    kind = rng.randrange(7 if depth < 3 else 4)
    if kind == 0:
        return rng.randrange(-1000, 1000)
    if kind == 1:
        return rng.choice(["", "text", "a/b~c", "\u00e4\u2603\U0001f600", 'quo"te\\', "\u0000\n", "\ud83d", "\ud83e"])
    if kind == 2:
        return rng.choice([True, False, None])
    if kind == 3:
        return rng.random() * 1e6
    if kind == 4:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ["a", "b", "c", "x/y", "t~u", "", "\ud800", "\ud801"]
    result = {name: value(rng, depth + 1) for name in rng.sample(names, rng.randrange(1, 5))}
    if depth == 0 and rng.random() < 0.3:
        result["long"] = "x" * rng.randrange(600, 3000)
    return result


def change(rng, server):
    session = server.session
    key = f"things/k{rng.randrange(12)}" if rng.random() < 0.85 else "settings"
    roll = rng.random()
    if roll < 0.45:
        answer = session.post(f"{server.url}/{key}", data=json.dumps(value(rng)))
    elif roll < 0.6:
        answer = session.post(f"{server.url}/things/*", data=json.dumps(value(rng)))
    elif roll < 0.75:
        answer = session.patch(f"{server.url}/{key}", data=json.dumps({"a": value(rng), "b": value(rng)}))
    elif roll < 0.99:
        answer = session.delete(f"{server.url}/{key}")
    else:
        answer = session.delete(f"{server.url}/things/*")
    if answer.headers.get("Gimbal-Error") != "patch-mismatch":
        assert answer.status_code in (200, 204, 404), (answer.status_code, answer.text)


def write(fleet, count, seed):
    """One writer per server, at once."""
    import threading

    def work(server, rng):
        for _ in range(count):
            change(rng, server)

    threads = [threading.Thread(target=work, args=(server, random.Random(f"{seed}/{index}")))
               for index, server in enumerate(fleet.servers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def truth(server, key):
    answer = server.session.get(f"{server.url}/{key}", headers={"Gimbal-Read": "latest"})
    if answer.status_code == 404:
        return EMPTY
    assert answer.status_code == 200, answer.text
    return answer.json()


async def check(fleet, changes, seed):
    rng = random.Random(seed)
    for server in fleet.servers:
        server.session = requests.Session()
    mirrors = [Mirror(server, key, rng) for server in fleet.servers for key in KEYS]
    mirrors += [NameMirror(server, key, rng) for server in fleet.servers for key in ("things/*", "*/k2")]
    tasks = [asyncio.create_task(mirror.run()) for mirror in mirrors]
    rounds, made = 0, 0
    while made < changes:
        burst = rng.choice([1, 5, 20, 60])
        writers = asyncio.to_thread(write, fleet, burst, f"{seed}/{rounds}")
        leaving = [mirror.disconnect(rng.random() * 0.3) for mirror in rng.sample(mirrors, 4)]
        await asyncio.gather(writers, *leaving)
        made += burst * len(fleet.servers)
        rounds += 1
        await asyncio.to_thread(fleet.wait_until_quiet)
        for mirror in mirrors:
            deadline = time.monotonic() + 20
            while True:
                expected = await asyncio.to_thread(truth, mirror.server, mirror.key)
                if mirror.data == expected:
                    break
                if time.monotonic() > deadline:
                    print("seed", seed, "round", rounds, mirror.key, mirror.server.url, "\nGET   ", json.dumps(expected),
                          "\nmirror", json.dumps(mirror.data))
                    return 1
                await asyncio.sleep(0.05)
        for task in tasks:
            if task.done():
                task.result()
    for task in tasks:
        task.cancel()
    total = {name: sum(getattr(mirror, name) for mirror in mirrors)
             for name in ("snapshots", "patches", "reconnects", "resumed")}
    print(f"mirrors: {len(mirrors)} on {len(fleet.servers)} servers equalled GET at {rounds} quiet points after {made} changes;",
          ", ".join(f"{count} {name}" for name, count in total.items()), f"(seed {seed})")
    return 0 if total["resumed"] else 1


if __name__ == "__main__":
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    with Fleet(sys.argv[1]) as fleet:
        sys.exit(asyncio.run(check(fleet, int(sys.argv[2]) if len(sys.argv) > 2 else 3000, seed)))
