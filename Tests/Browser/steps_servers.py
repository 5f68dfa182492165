"""The servers behind the keys: concurrent writes, nodes and their clocks, the outbox and its dead letters, ends and returns."""

import json
import os
import subprocess
import tempfile

import requests

from fleet import Server
from steps_keys import ATTACK, data, row, write


def author(server):
    return requests.get(f"{server.url}/_gimbal/status").json()["author"]


def allow(fleet, binaries, member, *patterns, name):
    subprocess.run([os.path.join(binaries, "gimbal"), "member", "allow", fleet.servers[0].folder, member, *patterns, "--name", name], check=True,
                   stdout=subprocess.DEVNULL)


def siblings(browser, fleet, binaries):
    """Concurrent writes are shown with their authors, explained, and decided by a person, for every server."""
    pivot, one, other = fleet.servers[:3]
    allow(fleet, binaries, author(one), "**", name="north")
    allow(fleet, binaries, author(other), "**", name=ATTACK)
    write(pivot, "things/pump", '{"level":0}')
    fleet.wait_until_quiet()
    pivot.kill()
    write(one, "things/pump", '{"level":1.50}')
    write(other, "things/pump", '{"level":2}')
    pivot.start()
    fleet.wait_until_quiet()
    browser.open(f"{pivot.url}/#/keys?key=things/pump")
    browser.shows(".siblings", "2 values were written here at the same time", "north", "1.50", "<script>", "what reads answer")
    browser.click("#history summary")
    browser.shows("#history", "The write with the greatest stamp is shown.", "stands", "ended by")
    browser.picture("siblings")
    browser.is_readable()
    browser.click('[aria-label="Keep the value of north"]')
    browser.shows("#question", "Keep this value?")
    browser.click("#question .danger")
    browser.wait(lambda: not browser.all(".siblings"), "one value stands")
    fleet.wait_until_quiet()
    assert all(data(server, "things/pump") == '{"level":1.50}' for server in fleet.servers)
    assert browser.run("return window.hacked") is None
    browser.is_clean("ERR_CONNECTION_REFUSED", "WebSocket", "404")


def nodes(browser, fleet, binaries):
    """Each node with health, lag and clock, on the pivot's page; the pivot on a node's."""
    pivot, one = fleet.servers[:2]
    config = tempfile.NamedTemporaryFile("w", suffix=".json")  # gone with this function
    config.write(json.dumps({"wallOffsetMilliseconds": 3_600_000}))
    config.flush()
    late = Server("node", binaries, ["--pivot", pivot.url, "--config", config.name])
    late.wait_until_ready()
    browser.open(f"{pivot.url}/#/nodes")
    browser.shows("#fleet h1", "3 nodes")
    card = f'.card[data-key="{author(late)}"]'
    browser.shows(card, "following", "up to date", "+1 h", late.address)
    browser.shows(f'.card[data-key="{author(one)}"]', "north", " ms", one.address)
    browser.picture("nodes")
    late.kill()
    browser.shows(card, "away", "last seen at position ")
    # What it wrote meanwhile nobody here can know.
    browser.wait(lambda: "up to date" not in browser.text(card), "nothing is said of what is not known")
    browser.shows("#fleet", "1 away, all that follow up to date")
    write(pivot, "things/unseen", "1")
    browser.shows(card, "1 behind, last seen at position ")
    late.start()
    browser.shows(card, "following", "up to date")
    browser.open(f"{late.url}/#/nodes")
    browser.shows("#fleet", "Pivot", "following", "up to date", "+1 h", pivot.address)
    pivot.kill()
    browser.shows("#fleet", "away", "last seen at position ")
    browser.wait(lambda: "up to date" not in browser.text("#fleet"), "nothing is said of what is not known")
    pivot.start()
    browser.shows("#fleet", "following", "up to date")
    late.stop()
    browser.is_clean()


def outbox(browser, fleet, binaries):
    """What waits, since when; what was refused, why, and what can be done about it."""
    pivot, one = fleet.servers[:2]
    absent = author(one)
    pivot.kill()
    write(one, "things/waiting", json.dumps({"text": ATTACK}))
    write(one, "things/later", "2")
    browser.open(f"{one.url}/#/outbox")
    browser.shows("#tabs", "Outbox", "2")
    browser.shows("#fleet", "things/waiting", "things/later", "<script>", "ago")
    browser.shows("#link-text", "pivot away")
    browser.picture("outbox")
    one.kill()
    browser.shows("#link-text", "server away")
    pivot.start()
    allow(fleet, binaries, absent, "settings", name="north")
    one.start()
    browser.shows("#fleet", "Everything written here is in the pivot’s log.", "Refused", "forbidden", "things/waiting")
    browser.shows("#tabs .badge", "2")
    browser.picture("deadletters")
    letter = ".card:has([data-path='things/waiting'])"
    browser.click(f"{letter} [data-do=retry]")
    browser.shows("#toasts", "may not write", "forbidden")
    browser.click(f"{letter} [data-do=forget]")
    browser.shows("#question", "things/waiting")
    browser.click("#question .button:not(.danger)")
    browser.shows("#tabs .badge", "2")
    browser.click(f"{letter} [data-do=forget]")
    browser.click("#question .danger")
    browser.shows("#tabs .badge", "1")
    # An editor tells the same refusal, and keeps the text.
    browser.run("location.hash = '#/keys?key=things/waiting'")
    browser.click("[data-do=edit]")
    browser.find("#editor").send_keys('"mine"')
    browser.click("[data-do=save]")
    browser.shows("#editor-state", "Not saved", "forbidden")
    browser.click("[data-do=cancel]")
    browser.click("#question .danger")
    allow(fleet, binaries, author(one), "**", name="north")
    fleet.wait_until_quiet()
    browser.run("location.hash = '#/outbox'")
    browser.click("[data-do=retry]")
    browser.shows("#fleet", "No write of this node was refused.")
    browser.wait(lambda: data(pivot, "things/later") == "2", "written again")
    assert browser.run("return window.hacked") is None
    browser.is_clean("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket", "403", "404")


def returns(browser, fleet, _):
    """A server that ends and comes back: said, and mended without a hand or a gap."""
    pivot = fleet.servers[0]
    browser.open(pivot.url)
    browser.shows("#link-text", "live")
    pivot.kill()
    browser.shows("#link-text", "server away")
    write(fleet.servers[1], "things/meanwhile", '"while it was away"')
    pivot.start()
    browser.shows("#link-text", "live")
    browser.shows(row("things/meanwhile"), "while it was away")
    write(pivot, "things/meanwhile", '"afterwards"')
    browser.shows(row("things/meanwhile"), "afterwards")
    browser.is_clean("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket")


def shapes(browser, fleet, _):
    """What a server may say of itself: several spaces, a horizon and for whom it is held, a snapshot, a fault."""
    author = "ab" * 32
    status = {"role": "several", "ready": True, "spaces": [
        {"name": "users", "role": "pivot", "ready": True, "position": 12345, "epoch": "2-ab", "patterns": ["users/*"],
         "log": {"horizon": 1000, "entries": 11346, "bytes": 5 << 20, "retained": 77, "snapshotReaders": 1,
                 "holders": [{"author": author, "position": 999}], "failure": "disk full"}},
        {"name": "things", "role": "node", "ready": True, "position": 7, "epoch": "1-cd", "patterns": ["things/*"],
         "following": True, "outbox": 2, "deadLetters": 1, "pivotURL": "http://127.0.0.1:1", "pivotPosition": 9, "pivotSilentSeconds": 1,
         "pivotClockOffsetMilliseconds": -2500, "snapshot": {"phase": "coming", "entries": 3, "position": 5, "end": 10},
         "fault": {"code": "pivot-lost", "detail": ATTACK}},
        {"name": "local", "role": "local", "ready": True, "position": 3}]}
    browser.open(fleet.servers[0].url)
    draw = """const [status, view, done] = arguments;
        import("/_gimbal/page/fleet.js").then(async ({ Fleet, faultNotices, summary }) => {
          const fleet = new Fleet(() => {});
          document.querySelector("#fleet").hidden = false;
          document.querySelector("#fault").replaceChildren(...faultNotices(status));
          await fleet.draw(view, status, () => true);
          done([document.querySelector("#fleet").innerText, document.querySelector("#fault").innerText, summary(status)]);
        }, (fault) => done([String(fault), "", {}]));"""
    log, fault, summary = browser.driver.execute_async_script(draw, status, "log")
    for text in ["users", "12,345", "Horizon", "1,000", "5.0 MiB", "abababab…", "at 999", "disk full", "things", "on its way", "users/*"]:
        assert text in log, (text, log)
    assert "local" not in log and "The pivot lacks what it once acknowledged" in fault and "<script>" in fault, (log, fault)
    assert summary["role"] == "pivot + node" and summary["outbox"] == 2 and summary["patterns"] == ["users/*", "things/*"], summary
    assert browser.run("return window.hacked") is None
    browser.is_readable()


STEPS = [siblings, nodes, outbox, returns, shapes]
