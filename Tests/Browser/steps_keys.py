"""Keys: the list, what changes in it, editing, and what must not get lost or loose."""

import json

import requests
from selenium.webdriver.common.keys import Keys

BIG = '{"name":"Lamp","exact":1.50,"huge":18446744073709551615,"10":"b","2":"a"}'
ATTACK = "</pre><img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>"


def write(server, key, text):
    answer = requests.post(f"{server.url}/{key}", data=text.encode())
    assert answer.status_code == 200, answer.text


def data(server, key):
    """The value as it is stored, to the byte; None where there is none."""
    answer = requests.get(f"{server.url}/{key}")
    if answer.status_code == 404:
        return None
    return answer.text.split('"data":', 1)[1][:-1]


def row(key):
    return f'.row[data-path="{key}"]'


def lists_and_pages(browser, fleet, _):
    """Newest first, page by page, with no more rows than are in sight."""
    pivot = fleet.servers[0]
    for number in range(350):
        write(pivot, f"things/many-{number:03d}", json.dumps({"number": number}))
    browser.open(pivot.url)
    browser.shows("#list-count", "350 keys")
    browser.shows(row("things/many-349"), "many-349", '{"number":349}')
    assert len(browser.all(".row")) < 40, len(browser.all(".row"))
    read = lambda: browser.run("return document.querySelector('#list').scrollHeight / 60")
    assert read() < 351, "the first page alone is there"
    for _ in range(3):
        before = read()
        browser.run("document.querySelector('#list').scrollTop = 1e9")
        browser.wait(lambda: read() > before, "the next page")
    browser.wait(lambda: browser.run("document.querySelector('#list').scrollTop = 1e9; return true") and browser.all(row("things/many-000")), "the last row")
    assert len(browser.all(".row")) < 40, len(browser.all(".row"))
    # What is in sight stays there while keys come above it.
    place = browser.find(row("things/many-000")).location
    write(fleet.servers[1], "things/above", "1")
    browser.shows("#list-count", "351 keys")
    assert browser.find(row("things/many-000")).location == place
    browser.type_over("#find", "MANY-34")
    browser.shows("#list-count", "10 keys")
    browser.type_over("#find", "no/*/such")
    browser.shows("#list-status", "Nothing matches.")
    browser.type_over("#find", "a//*")
    browser.shows("#list-status", "invalid-path")
    requests.delete(f"{pivot.url}/things/*")
    browser.type_over("#find", "many")
    browser.shows("#list-status", "Nothing matches.")
    browser.is_clean("Failed to load resource", "400")
    browser.find("#find").clear()


def lives(browser, fleet, _):
    """What is written at one server shows at another, without a hand."""
    pivot, node = fleet.servers[:2]
    write(pivot, "things/one", '{"n":1}')
    browser.open(node.url)
    browser.shows(row("things/one"), '{"n":1}')
    browser.shows("#link-text", "live")
    write(pivot, "things/one", '{"n":2}')
    browser.shows(row("things/one"), '{"n":2}')
    write(fleet.servers[2], "things/two", "[]")
    browser.shows(row("things/two"), "[]")
    browser.shows("#list-count", "2 keys")
    browser.click(row("things/one"))
    browser.shows("#detail-body", '"n": 2', "Written by", "pivot")
    write(pivot, "things/one", '{"n":3}')
    browser.shows("#detail-body", '"n": 3')
    # A key outside of the list's pattern is followed too.
    browser.run("location.hash = '#/keys?in=things/*&key=settings'")
    browser.shows("#detail-body", "There is nothing at this key.")
    write(pivot, "settings", '{"on":true}')
    browser.shows("#detail-body", '"on": true')
    requests.delete(f"{pivot.url}/things/one")
    browser.wait(lambda: not browser.all(row("things/one")), "the deleted row goes")
    browser.shows("#list-count", "1 key")
    browser.is_clean("404")


def edits(browser, fleet, _):
    """An edit changes what was edited and no other byte's meaning; what is no JSON is not sent."""
    pivot, node = fleet.servers[:2]
    write(pivot, "things/lamp", BIG)
    browser.open(f"{node.url}/#/keys?key=things/lamp")
    browser.click("[data-do=edit]")
    editor = browser.find("#editor")
    assert "1.50" in editor.get_property("value") and '"10": "b",\n  "2"' in editor.get_property("value"), editor.get_property("value")
    editor.send_keys(Keys.CONTROL + Keys.HOME)
    editor.send_keys(Keys.END, '\n"added":[1,],')
    browser.shows("#editor-state", "Line 2, column 12")
    browser.click("[data-do=save]")
    assert data(node, "things/lamp") == BIG
    editor.send_keys(Keys.CONTROL + Keys.HOME)
    editor.send_keys(Keys.ARROW_DOWN, Keys.END, Keys.BACKSPACE * 3, "],")
    browser.shows("#editor-state", "Valid JSON")
    browser.click("[data-do=save]")
    browser.shows("#toasts", "Saved")
    browser.shows("#detail-body", '"added"')
    fleet.wait_until_quiet()
    assert data(pivot, "things/lamp") == BIG.replace("{", '{"added":[1],', 1), data(pivot, "things/lamp")
    # Opened and saved as it was: nothing is written.
    before = requests.get(f"{node.url}/things/lamp").text
    browser.click("[data-do=edit]")
    browser.click("[data-do=save]")
    browser.shows("#toasts", "Nothing was changed")
    assert requests.get(f"{node.url}/things/lamp").text == before
    browser.is_clean()


def json_texts(browser, fleet, _):
    """The page's JSON is JSON: it takes and refuses what the browser's own parser does, and lays out the same value."""
    browser.open(fleet.servers[0].url)
    wrong = browser.driver.execute_async_script("""
        const done = arguments[0];
        import("/_gimbal/page/json.js").then(({ parse, pretty, compact }) => {
          const signs = '{}[]",:01.e-+\\\\ntrufalsu0é \\t', wrong = [];
          const taken = (work) => { try { return work() } catch { return undefined } };
          for (let round = 0; round < 60000; round += 1) {
            const text = Array.from({ length: Math.random() * 12 }, () => signs[Math.floor(Math.random() * signs.length)]).join("");
            const theirs = taken(() => JSON.stringify(JSON.parse(text)));
            const ours = taken(() => JSON.stringify(JSON.parse(pretty(parse(text)))));
            const short = taken(() => JSON.stringify(JSON.parse(compact(parse(text)))));
            if (theirs !== ours || theirs !== short) wrong.push(text);
          }
          // A text without an end takes no longer than one with it.
          for (const text of ['"' + "a".repeat(1e6), '["' + "\\\\u00e4".repeat(1e5)]) if (taken(() => parse(text))) wrong.push("no end");
          if (taken(() => parse("[".repeat(1e6)))) wrong.push("too deep");
          done(wrong.slice(0, 5));
        }, (fault) => done([String(fault)]));""")
    assert not wrong, wrong


def conflicts(browser, fleet, _):
    """Whoever edits sees what others did meanwhile and chooses; no text is lost."""
    pivot, node = fleet.servers[:2]
    write(pivot, "things/desk", '{"colour":"red","size":1}')
    fleet.wait_until_quiet()
    browser.open(f"{node.url}/#/keys?key=things/desk")
    browser.click("[data-do=edit]")
    browser.type_over("#editor", '{"colour":"mine"}')
    browser.shows(row("things/desk"), "unsaved")
    write(pivot, "things/desk", '{"colour":"theirs","size":1}')
    browser.shows(".conflict", "pivot changed this key", '"theirs"')
    assert browser.find("#editor").get_property("value") == '{"colour":"mine"}'
    browser.picture("conflict")
    # Kept over a reload and a visit elsewhere.
    browser.driver.refresh()
    browser.shows(".conflict", '"theirs"')
    browser.run("location.hash = '#/log'")
    browser.shows("#fleet", "Position")
    browser.run("location.hash = '#/keys?key=things/desk'")
    browser.shows(".conflict", '"theirs"')
    assert browser.find("#editor").get_property("value") == '{"colour":"mine"}'
    browser.click("[data-do=theirs]")
    assert "theirs" in browser.find("#editor").get_property("value")
    browser.click("#toasts .button.plain")
    assert browser.find("#editor").get_property("value") == '{"colour":"mine"}'
    browser.click("[data-do=save]")
    browser.shows("#toasts", "Saved")
    fleet.wait_until_quiet()
    assert data(pivot, "things/desk") == '{"colour":"mine"}'
    # Seen too late to be shown: the answer to Save is the question.
    browser.click("[data-do=edit]")
    browser.type_over("#editor", '{"colour":"again"}')
    requests.delete(f"{pivot.url}/things/desk")
    browser.shows(".conflict", "was deleted")
    browser.click("[data-do=mine]")
    browser.shows("#toasts", "Saved")
    fleet.wait_until_quiet()
    assert data(pivot, "things/desk") == '{"colour":"again"}'
    # An untouched editor just shows the new value.
    browser.click("[data-do=edit]")
    write(pivot, "things/desk", "5")
    browser.wait(lambda: browser.find("#editor").get_property("value") == "5", "the new value in the editor")
    browser.find("#editor").send_keys("6")
    browser.press(Keys.ESCAPE)
    browser.shows("#question", "Discard your change?")
    browser.click("#question .danger")
    browser.shows("#detail-body .json", "5")
    browser.is_clean("404")


def creates_and_deletes(browser, fleet, _):
    """New keys do not write over old ones; deleting asks, and can be taken back."""
    pivot = fleet.servers[0]
    write(pivot, "things/desk", "1")
    browser.open(f"{pivot.url}/#/keys?in=things/*")
    browser.click("#new")
    assert browser.find("#new-path").get_property("value") == "things/"
    browser.find("#new-path").send_keys("desk")
    browser.find("#editor").send_keys('{"new":1}')
    browser.click("[data-do=save]")
    browser.shows(".conflict", "There is a value at this path already")
    browser.find("#new-path").send_keys("top")
    browser.click("[data-do=save]")
    browser.shows("#detail-head", "things/desktop")
    assert data(pivot, "things/desktop") == '{"new":1}'
    browser.click("#new")
    browser.find("#new-path").send_keys("*")
    browser.find("#editor").send_keys('"pushed"')
    browser.click("[data-do=save]")
    browser.shows("#detail-body", '"pushed"')
    browser.run("location.hash = '#/keys?in=things/*&key=things/desktop'")
    browser.click("[data-do=delete]")
    browser.shows("#question", "Delete things/desktop?")
    browser.click("#question .button:not(.danger)")
    assert data(pivot, "things/desktop") == '{"new":1}'
    browser.click("[data-do=delete]")
    browser.click("#question .danger")
    browser.wait(lambda: data(pivot, "things/desktop") is None, "deleted")
    browser.wait(lambda: not browser.all(row("things/desktop")), "its row goes")
    browser.click("#toasts .toast:last-child .button.plain")
    browser.wait(lambda: data(pivot, "things/desktop") == '{"new":1}', "restored")
    browser.is_clean("404")


def keyboard(browser, fleet, _):
    """Everything without a mouse."""
    pivot = fleet.servers[0]
    requests.delete(f"{pivot.url}/things/*")
    for number in range(5):
        write(pivot, f"things/k{number}", f'{{"n":{number}}}')
    write(pivot, "settings", "0")
    browser.open(pivot.url)
    browser.shows("#list-count", "6 keys")
    browser.shows(row("things/k4"), "k4")
    browser.press("?")
    browser.shows("#help", "find keys")
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: not browser.all("#help[open]"), "the help goes")
    browser.press("/")
    assert browser.focused == "find"
    browser.press("things/k")
    browser.shows("#list-count", "5 keys")
    browser.press(Keys.ENTER)
    assert browser.focused == "list"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is visible"
    browser.press(Keys.ARROW_DOWN, "j", "k", Keys.ENTER)
    browser.shows("#detail-head", "things/k3")
    active = browser.run("const l = document.querySelector('#list'); return document.getElementById(l.getAttribute('aria-activedescendant')).dataset.path")
    assert active == "things/k3", active
    browser.press("e")
    browser.wait(lambda: browser.focused == "editor", "the editor has the focus")
    browser.chord(Keys.CONTROL, "a")
    browser.press('{"by":"keys"}')
    browser.chord(Keys.CONTROL, Keys.ENTER)
    browser.wait(lambda: data(pivot, "things/k3") == '{"by":"keys"}', "saved")
    browser.shows("#detail-body", '"keys"')
    browser.press("d")
    browser.shows("#question", "Delete things/k3?")
    browser.press(Keys.TAB, Keys.ENTER)
    browser.wait(lambda: data(pivot, "things/k3") is None, "deleted")
    browser.wait(lambda: browser.focused == "list", "the list has the focus again")
    browser.press(Keys.END, Keys.ENTER)
    browser.shows("#detail-head", "things/k0")
    browser.press(Keys.ESCAPE)
    browser.shows("#detail-empty", "Choose a key")
    browser.press("2")
    browser.shows("#fleet h1", "node")
    browser.press("n")
    browser.wait(lambda: browser.focused == "new-path", "a new key's path has the focus")
    browser.press(Keys.ESCAPE)
    # Whatever can be clicked can be reached.
    unreachable = browser.run("return [...document.querySelectorAll('[data-do], .chip')].filter((e) => e.checkVisibility() && e.tabIndex < 0).length")
    assert unreachable == 0
    browser.is_clean("404")


def attacks(browser, fleet, _):
    """What is stored stays text, wherever it is shown."""
    pivot = fleet.servers[0]
    write(pivot, "things/attack", json.dumps({ATTACK: ATTACK, "__proto__": {"x": ATTACK}, "url": "javascript:hacked=1"}))
    write(pivot, "settings", json.dumps(ATTACK))
    browser.open(f"{pivot.url}/#/keys?key=things/attack")
    browser.shows(row("settings"), "onerror")
    browser.shows("#detail-body", "<script>window.hacked=1</script>")
    browser.click("#history summary")
    browser.shows("#history", "wrote", "onerror")
    browser.click("[data-do=edit]")
    browser.type_over("#editor", json.dumps({"mine": ATTACK}))
    write(pivot, "things/attack", json.dumps({"theirs": ATTACK}))
    browser.shows(".conflict", "<script>")
    browser.click("[data-do=mine]")
    browser.shows("#detail-body", "mine")
    browser.run(f"location.hash = '#/keys?in=' + encodeURIComponent({json.dumps(ATTACK + '/*')}) + '&key=' + encodeURIComponent({json.dumps(ATTACK)})")
    browser.shows("#detail-head", "onerror")
    assert browser.run("return window.hacked") is None
    assert browser.run("return document.querySelectorAll('img, #detail script, #list script').length") == 0
    # Even a mistake of the page would not run: no markup from text, no script that is not a file of the server.
    assert browser.run("try { document.body.innerHTML += '<b>x</b>'; return 'set' } catch (e) { return e.name }") == "TypeError"
    browser.open("about:blank")
    browser.console()


STEPS = [lists_and_pages, lives, edits, json_texts, conflicts, creates_and_deletes, keyboard, attacks]
