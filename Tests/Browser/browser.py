"""Debian's Chromium as a person with a keyboard, a mouse or a thumb uses it."""

import os
import time

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PATIENCE = 20

# Text that stands too weakly on what is behind it (WCAG 2.2, 1.4.3): AA wants 4.5, and 3 where it is large.
WEAK_TEXT = """
const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const colour = (text) => { const parts = text.match(/[\\d.]+/g).map(Number); return { rgb: parts.slice(0, 3), alpha: parts[3] ?? 1 }; };
const behind = (element) => {
  for (let place = element; place; place = place.parentElement) {
    const { rgb, alpha } = colour(getComputedStyle(place).backgroundColor);
    if (alpha === 1) return rgb;
  }
  return [255, 255, 255];
};
const weak = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  const style = getComputedStyle(element);
  const [one, other] = [luminance(colour(style.color).rgb), luminance(behind(element))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (contrast < (isLarge ? 3 : 4.5)) weak.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
}
return [...new Set(weak)];
"""

# Who reaches beyond the right edge of the screen, but for what is cut off with an ellipsis and the row of patterns.
OVERFLOW = """
const width = document.documentElement.clientWidth;
const isCut = (element) => element.closest("#patterns, .skip") || (element.parentElement && getComputedStyle(element.parentElement).textOverflow === "ellipsis");
return [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && !isCut(element) && element.getBoundingClientRect().right > width + 1)
  .slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
"""


class Browser:
    """One Chromium. Whatever its console calls an error fails the check that looks at it."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        # Chromium's own sandbox cannot be had as root; the only pages that are opened are this program's.
        for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                         "--disable-extensions", "--disable-background-networking", "--disable-component-update"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.desktop()

    def quit(self):
        self.driver.quit()

    # Its screen

    def desktop(self):
        self._screen(1280, 800, False)

    def phone(self):
        self._screen(360, 740, True)

    def _screen(self, width, height, is_touched):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 2 if is_touched else 1, "mobile": is_touched})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_touched})

    def dark(self, is_dark):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]})

    def picture(self, name):
        """For people to look at; kept only where `PICTURES` names a folder."""
        folder = os.environ.get("PICTURES")
        if folder:
            os.makedirs(folder, exist_ok=True)
            self.driver.save_screenshot(os.path.join(folder, name + ".png"))

    # What is on it

    def open(self, url):
        self.driver.get("about:blank")
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        """The element once it is there and shown."""
        return self.wait(lambda: next((e for e in self.all(selector) if e.is_displayed()), None), selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector).text
        except NoSuchElementException:
            return ""

    def click(self, selector):
        self.wait(lambda: self._click(selector), f"click on {selector}")

    def _click(self, selector):
        for element in self.all(selector):
            if element.is_displayed():
                element.click()
                return True
        return False

    def wait(self, condition, what="condition"):
        """Whatever the condition gives once that is something."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                result = condition()
                if result:
                    return result
            except StaleElementReferenceException:
                pass
            if time.monotonic() > deadline:
                self.picture("failed")
                raise AssertionError(f"never: {what}\n--- the page says:\n{self.text('body')}\n--- its console:\n{self.console()}")
            time.sleep(0.03)

    def shows(self, selector, *texts):
        self.wait(lambda: all(text in self.text(selector) for text in texts), f"{texts} in {selector}")

    # Hands

    def press(self, *keys):
        """To whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier, key):
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def type_over(self, selector, text):
        field = self.find(selector)
        field.send_keys(Keys.CONTROL + "a")
        field.send_keys(text)

    @property
    def focused(self):
        return self.run("const e = document.activeElement; return e.id || e.dataset.do || e.tagName")

    # Judgements

    def console(self):
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def is_clean(self, *expected):
        """No error in the console but those that hold one of these texts."""
        bad = [line for line in self.console() if not any(text in line for text in expected)]
        assert not bad, bad

    def is_readable(self):
        weak = self.run(WEAK_TEXT)
        assert not weak, weak

    def fits(self):
        wide = self.run(OVERFLOW)
        assert not wide, wide
