"""How it looks: on a phone, in the dark, and what is served."""

import requests

from steps_keys import write

VIEWS = ["#/keys", "#/keys?key=things/long", "#/nodes", "#/outbox", "#/log"]


def fill(server):
    write(server, "things/" + "-".join(["long"] * 40), '"a path that is longer than any screen"')
    write(server, "things/long", '{"text":"' + "word" * 200 + '","list":[1,true,null,{"deep":[[[]]]}]}')


def phone(browser, fleet, _):
    """360 points wide: one thing at a time, nothing beyond the edge, everything big enough for a thumb."""
    node = fleet.servers[1]
    fill(node)
    browser.phone()
    for view in VIEWS:
        browser.open(f"{node.url}/{view}")
        browser.shows("#list-count" if view == "#/keys" else "#fleet h1" if "keys" not in view else "#detail-body", "")
        browser.wait(lambda: browser.text("main").strip() and "Loading" not in browser.text("main"), f"{view} is there")
        browser.fits()
        browser.picture("phone-" + view.strip("#/").replace("?key=things/", "-"))
    browser.open(node.url)
    browser.click('.row[data-path="things/long"]')
    browser.shows("#detail-body", "word")
    assert not browser.find("#detail").find_elements("css selector", ".front")[0].is_displayed()
    assert not browser.driver.find_element("id", "browse").is_displayed(), "the key has the screen for itself"
    browser.click("[data-do=edit]")
    browser.fits()
    small = browser.run("return [...document.querySelectorAll('button, .tab')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 36).map((e) => e.outerHTML.slice(0, 80))")
    assert not small, small
    browser.click("[data-do=cancel]")
    browser.click(".back")
    browser.find("#list")
    browser.driver.back()
    browser.shows("#detail-body", "word")
    browser.driver.back()
    browser.find("#list")
    browser.click('.tab[href="#/nodes"]')
    browser.shows("#fleet h1", "pivot")
    browser.desktop()
    browser.is_clean()


def colours(browser, fleet, _):
    """Light and dark as the system wants it, and every text readable on what is behind it (WCAG AA)."""
    ground = lambda: sum(int(part) for part in browser.run("return getComputedStyle(document.body).backgroundColor").strip("rgb()").split(","))
    for role, server in zip(("pivot", "node"), fleet.servers):
        browser.open(server.url)
        for view in VIEWS + ["#/keys?key=new"]:
            browser.run("location.hash = arguments[0]", view)
            browser.wait(lambda: browser.text("main").strip() and "Loading" not in browser.text("main"), f"{view} is there")
            if view.endswith("new"):
                browser.click("[data-do=edit]")
                browser.find("#editor").send_keys("{")
            for scheme in ("light", "dark"):
                browser.dark(scheme == "dark")
                browser.is_readable()
                browser.fits()
                assert (ground() < 120) == (scheme == "dark"), ground()
                browser.picture(f"{scheme}-{role}-" + view.strip("#/").replace("?key=things/", "-").replace("?key=", "-"))
        browser.click("[data-do=cancel]")
        browser.click("#question .danger")
    browser.dark(False)
    browser.is_clean("404")


def files(_, fleet, __):
    """The page's files: their types, what browsers may do with them, and no second copy of what they have."""
    url = fleet.servers[0].url
    for path, kind in [("/", "text/html"), ("/_gimbal/page/app.js", "text/javascript"), ("/_gimbal/page/page.css", "text/css")]:
        answer = requests.get(url + path)
        assert answer.status_code == 200 and answer.headers["Content-Type"] == f"{kind}; charset=utf-8", (path, answer.headers)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy, policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Content-Encoding"] == "gzip"
        again = requests.get(url + path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304 and not again.content, (path, again.status_code)
        head = requests.head(url + path)
        assert head.status_code == 200 and head.headers["ETag"] == answer.headers["ETag"] and not head.content
    missing = requests.get(url + "/_gimbal/page/none.js")
    assert missing.status_code == 404 and missing.headers["Gimbal-Error"] == "no-route"


STEPS = [phone, colours, files]
