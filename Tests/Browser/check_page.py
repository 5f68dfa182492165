#!/usr/bin/env python3
"""The page at / as people use it, in Debian's Chromium, against real servers: check_page.py BINARIES [STEP ...]"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "Clients"))

import steps_keys
import steps_look
import steps_servers
from browser import Browser
from fleet import Fleet


def main(binaries, wanted):
    steps = steps_keys.STEPS + steps_servers.STEPS + steps_look.STEPS
    begin = time.monotonic()
    with Fleet(binaries) as fleet:
        browser = Browser()
        try:
            for step in steps:
                if wanted and step.__name__ not in wanted:
                    continue
                started = time.monotonic()
                step(browser, fleet, binaries)
                print(f"page: {step.__name__}: {step.__doc__} ({time.monotonic() - started:.1f} s)", flush=True)
        finally:
            browser.quit()
    print(f"page: all as it should be in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
