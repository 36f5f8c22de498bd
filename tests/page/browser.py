"""Debian's Chromium, driven by WebDriver."""

import os
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from host import until

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # Nothing but this host exists for it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# What a person sees in a row, by the classes of the cells.
ROWS = """
  return [...document.querySelectorAll("#scroller .row")]
    .sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex"))
    .map((row) => Object.fromEntries([["id", row.dataset.id],
      ...[...row.children].map((cell) => [cell.classList[1], cell.textContent])]));
"""
CHARTS = """
  return Object.fromEntries([...document.querySelectorAll("#detail .chart")].map((chart) =>
    [chart.dataset.path, { now: chart.querySelector(".now").textContent, label: chart.querySelector("svg").getAttribute("aria-label"),
      line: chart.querySelector(".line").getAttribute("d") }]));
"""
FACTS = """
  return Object.fromEntries([...document.querySelectorAll("#detail dd")].map((fact) => [fact.dataset.path, fact.textContent]));
"""


class Browser:
    def __init__(self, stack):
        profile = stack.enter_context(tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True))
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver", env={**os.environ, "HOME": profile}),
                                       options=options)
        stack.callback(self.driver.quit)
        self.size(1360, 860)

    def size(self, width, height):
        self._emulate("setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def scheme(self, name):
        self._emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def _emulate(self, what, **arguments):
        self.driver.execute_cdp_cmd(f"Emulation.{what}", arguments)

    def open(self, url):
        """A tab as if it were new: without a key."""
        self.driver.get("about:blank")
        self.driver.get(url)
        self.run("sessionStorage.clear()")
        self.driver.get("about:blank")
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def evaluate(self, body):
        """What an asynchronous function with this body returns."""
        outcome = self.driver.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {body} }})().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));")
        if "error" in outcome:
            raise AssertionError(outcome["error"])
        return outcome["value"]

    def press(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def press_with_shift(self, key):
        ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()

    def click(self, selector):
        self.driver.find_element("css selector", selector).click()

    def text(self, selector):
        """The visible text of an element, empty if it is hidden."""
        return self.driver.find_element("css selector", selector).text

    def is_shown(self, selector):
        return self.driver.find_element("css selector", selector).is_displayed()

    def focused(self):
        return self.run("const at = document.activeElement; return at.dataset.id ?? (at.id || at.textContent)")

    def rows(self):
        return self.run(ROWS)

    def row(self, one):
        return next((row for row in self.rows() if row["id"] == one), None)

    def charts(self):
        return self.run(CHARTS)

    def facts(self):
        return self.run(FACTS)

    def wait(self, condition, what):
        try:
            return until(condition, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\nThe page shows:\n{self.text('body')}") from None

    def wait_for_text(self, selector, text):
        self.wait(lambda: text in self.text(selector), f"{selector} shows {text!r}")

    def give_key(self, key):
        self.wait(lambda: self.is_shown("#key"), "the page asks for a key")
        self.press(key, Keys.ENTER)

    def log(self):
        """What the console has got since the last call."""
        return self.driver.get_log("browser")

    def picture(self, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))
