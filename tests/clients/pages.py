"""A person who logs in by password and one-time code, consents, changes the password and logs out, in Chromium:

pages.py CHROMIUM PROFILE PICTURES PLAN

PROFILE is a directory that the browser may make and use, PICTURES one for what the pages look like, PLAN what the test
has arranged, as JSON: origin, username, password, new_password, client, scheme, callback (what the plugin answers
with), login (the URL that the application sends people to). Ends with status 0 if everything is as it should be.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import sys
import time
from urllib.parse import urlsplit

from chromium import Browser

SCREENS = {
    "wide": (1100, 800, False),
    "wide-dark": (1100, 800, True),
    "narrow": (375, 740, False),
    "narrow-dark": (375, 740, True),
}

# What is to be seen of a page, and whether everything on it has a name that can be told to somebody who can't see it.
ABOUT = """
(() => {
  const named = (field) => field.labels?.length > 0 || field.getAttribute('aria-label') || field.textContent.trim();
  const shown = (element) => element.checkVisibility();
  const fields = [...document.querySelectorAll('input:not([type=hidden]), select, button, a')].filter(shown);
  const ids = [...document.querySelectorAll('[aria-describedby]')].flatMap((it) => it.getAttribute('aria-describedby').trim().split(/ +/));
  return {
    title: document.querySelector('h1')?.firstChild.textContent.trim(),
    language: document.documentElement.lang,
    landmarks: document.querySelectorAll('main').length,
    headings: document.querySelectorAll('h1').length,
    nameless: fields.filter((it) => !named(it)).map((it) => it.outerHTML),
    lost: ids.filter((id) => id && !document.getElementById(id)),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    small: fields.filter((it) => it.matches('button, .button')).filter((it) => it.getBoundingClientRect().height < 24).map((it) => it.outerHTML),
  };
})()
"""

# The contrast of all text that is shown with what is behind it, as WCAG 2 counts it.
CONTRAST = """
(() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return color.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let it = element; it; it = it.parentElement) layers.push(parse(getComputedStyle(it).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = (color) => color.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const weak = [];
  for (const element of document.querySelectorAll('body *')) {
    const says = [...element.childNodes].some((it) => it.nodeType === 3 && it.textContent.trim());
    if (!says || !element.checkVisibility()) continue;
    const ground = behind(element);
    const text = over(parse(getComputedStyle(element).color), ground);
    const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) weak.push(`${contrast.toFixed(2)} ${element.textContent.trim().slice(0, 40)}`);
  }
  return weak;
})()
"""


def totp(secret, later=0):
    """The code of this moment, or of one a little later (RFC 6238)."""
    secret = secret.replace(" ", "").upper()
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time() + later) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return str((struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6).zfill(6)


class Person:
    def __init__(self, browser, pictures, origin):
        self.browser, self.pictures, self.origin = browser, pictures, origin
        self.count = 0

    def see(self, title):
        """Waits for the page of this title, looks at it on all screens, and says what is wrong with it."""
        self.browser.wait(f"document.querySelector('h1')?.firstChild.textContent.trim() === {json.dumps(title)}", title)
        self.count += 1
        for screen, (width, height, dark) in SCREENS.items():
            self.browser.look(width, height, dark)
            name = title.lower().replace(" ", "-").replace("?", "")
            self.browser.picture(os.path.join(self.pictures, f"{self.count:02}-{name}.{screen}.png"))
            about = self.browser.value(ABOUT)
            right = {"language": "en", "landmarks": 1, "headings": 1, "nameless": [], "lost": [], "small": []}
            wrong = {key: about[key] for key in right if about[key] != right[key]}
            assert not wrong and about["wider"] <= 0, f"{title} on {screen}: {wrong or about}"
            weak = self.browser.value(CONTRAST)
            assert not weak, f"{title} on {screen}: too little contrast: {weak}"
        print("saw", title, flush=True)

    def type(self, field, text):
        found = f"document.querySelector({json.dumps(field)})"
        assert self.browser.value(f"{found}?.focus() ?? Boolean({found})"), f"no {field}"
        self.browser.value(f"{found}.select()")
        self.browser.call("Input.insertText", text=text)

    def press(self, text):
        """The button or the link that is called so. Left before the next page is there."""
        find = f"[...document.querySelectorAll('button, a')].find((it) => it.innerText.trim() === {json.dumps(text)})"
        assert self.browser.value(f"Boolean({find})"), f"no {text}"
        self.browser.value(f"window.isOld = true, {find}.click()")
        self.browser.wait("!window.isOld", f"gone on behind {text}")

    def enter(self):
        """As most people send a form."""
        self.browser.value("window.isOld = true")
        for kind in ("keyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
        self.browser.wait("!window.isOld", "gone on behind the form")

    def text(self, selector):
        return self.browser.value(f"document.querySelector({json.dumps(selector)})?.innerText")


def log_in(person, plan, password):
    person.type("#username", plan["username"])
    person.type("#password", password)
    person.enter()


def fresh(secret, used):
    """A code that was not used before, each counts once: of this moment, or as by a clock that is half a minute fast."""
    code = next(code for code in (totp(secret), totp(secret, 30)) if code not in used)
    used.add(code)
    return code


def main(chromium, profile, pictures, plan):
    plan = json.loads(plan)
    browser = Browser(chromium, profile)
    person = Person(browser, pictures, plan["origin"])
    browser.open(plan["login"])
    # Nothing on these pages needs scripts, and the policy lets none run.
    browser.call("Emulation.setScriptExecutionDisabled", value=True)

    person.see("Log in")
    log_in(person, plan, "not this one")
    assert person.text("[role=alert]"), "no word of the wrong password"
    person.see("Log in")
    log_in(person, plan, plan["password"])

    # The scope needs a second factor, which is not there yet.
    person.see("One more step is missing")
    person.press("Set it up")
    person.see(plan["scheme"])
    person.press("Set up")
    person.browser.wait("document.querySelector('.secret')", "the secret")
    person.see(plan["scheme"])
    secret, used = person.text(".secret"), set()
    width = browser.value("document.querySelector('img.qr').naturalWidth")
    assert width > 20, f"the QR code is {width} wide"
    person.type("input.code", "000000")
    person.enter()
    person.see(plan["scheme"])
    person.type("input.code", fresh(secret, used))
    person.enter()

    # What the application wants was not forgotten. Now there is a second factor.
    person.see(plan["scheme"])
    person.type("input.code", next(iter(used)))
    person.enter()
    assert person.text(".error"), "a code was taken twice"
    person.see(plan["scheme"])
    person.type("input.code", fresh(secret, used))
    person.enter()
    person.see(f"Allow {plan['client']}?")
    person.press("Allow")
    person.browser.wait(f"document.body.innerText.includes({json.dumps(plan['callback'])})", "back at the plugin")
    where = urlsplit(browser.value("location.href"))
    assert where.query.split("&")[-1] == "g_continue", where

    browser.go(plan["origin"] + "/profile.html")
    person.see("Your profile")
    assert plan["client"] in person.text("main"), "the application is not connected"
    for field, text in (("#old", "wrong"), ("#new", plan["new_password"]), ("#again", plan["new_password"])):
        person.type(field, text)
    person.enter()
    person.see("Your profile")
    assert person.text("#old-error"), "a wrong password changes the password"
    for field, text in (("#old", plan["password"]), ("#new", plan["new_password"]), ("#again", plan["new_password"])):
        person.type(field, text)
    person.enter()
    person.see("Your profile")
    assert person.text("[role=status]") == "Your password was changed.", person.text("main")

    person.press("Log out")
    person.see("Log out")
    person.press("Log out")
    person.see("You are logged out")
    person.press("Log in again")
    person.see("Log in")
    log_in(person, plan, plan["password"])
    person.see("Log in")
    log_in(person, plan, plan["new_password"])
    person.browser.wait("location.pathname === '/profile.html'", "at the profile")
    person.see("Your profile")
    browser.close()


main(*sys.argv[1:])
