"""A person who adds a security key and logs in with it, in Chromium, whose own virtual key it is:

webauthn.py CHROMIUM PROFILE PICTURES PLAN

PROFILE is a directory that the browser may make and use, PICTURES one for what the pages look like, PLAN what the test
has arranged, as JSON: origin, username, password, scheme, callback (what the plugin answers with), login (the URL that
the application sends people to). Ends with status 0 if everything is as it should be.
"""

import json
import os
import sys

from chromium import Browser


class Person:
    def __init__(self, browser):
        self.browser = browser

    def wait(self, condition, what):
        self.browser.wait(condition, what)
        print("saw", what, flush=True)

    def see(self, title):
        self.wait(f"document.querySelector('h1')?.firstChild.textContent.trim() === {json.dumps(title)}", title)

    def type(self, field, text):
        found = f"document.querySelector({json.dumps(field)})"
        assert self.browser.value(f"{found}?.focus() ?? Boolean({found})"), f"no {field}"
        self.browser.value(f"{found}.select()")
        self.browser.call("Input.insertText", text=text)

    def press(self, text):
        """The button or the link that is called so. A person's own press: scripts may not ask for keys without one."""
        find = f"[...document.querySelectorAll('button, a')].find((it) => it.innerText.trim().split('\\n')[0] === {json.dumps(text)})"
        assert self.browser.value(f"Boolean({find})"), f"no {text}: {self.browser.value('document.body.innerText')}"
        self.browser.value(f"window.isOld = true, {find}.scrollIntoView({{ block: 'center' }})")
        where = self.browser.value(f"(({{ x, y, width, height }}) => [x + width / 2, y + height / 2])({find}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)
        self.wait("!window.isOld", f"what is behind {text}")


def log_in(person, plan):
    person.see("Log in")
    person.type("#username", plan["username"])
    person.type("#password", plan["password"])
    person.press("Log in")


def main(chromium, profile, pictures, plan):
    plan = json.loads(plan)
    browser = Browser(chromium, profile)
    person = Person(browser)
    browser.open(plan["origin"] + "/profile.html")
    browser.look(900, 1400, False)
    browser.call("WebAuthn.enable")
    key = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    authenticator = browser.call("WebAuthn.addVirtualAuthenticator", options=key)["authenticatorId"]

    log_in(person, plan)
    browser.go(plan["login"])
    person.see("One more step is missing")
    person.press("Set it up")
    person.see(plan["scheme"])
    person.press("Set up")
    person.wait("document.querySelector('form[data-ceremony=create]')", "the question for a key")
    browser.picture(os.path.join(pictures, "key-add.png"))
    person.press("Add")
    # The log-in that waited for it goes on.
    person.see("One more step")
    keys = browser.call("WebAuthn.getCredentials", authenticatorId=authenticator)["credentials"]
    assert len(keys) == 1 and keys[0]["rpId"] == "localhost", keys

    person.press(plan["scheme"])
    person.wait("document.querySelector('form[data-ceremony=get]')", "the question for the key")
    browser.picture(os.path.join(pictures, "key-log-in.png"))
    person.press("Use a security key or passkey")
    person.wait(f"document.body.innerText.includes({json.dumps(plan['callback'])})", "back at the plugin")
    after = browser.call("WebAuthn.getCredentials", authenticatorId=authenticator)["credentials"]
    assert after[0]["signCount"] > keys[0]["signCount"], "the key was not used"

    browser.go(plan["origin"] + "/profile.html")
    person.see("Your profile")
    person.press("Manage")
    person.see(plan["scheme"])
    browser.picture(os.path.join(pictures, "key-manage.png"))
    person.press("Remove this key")
    person.see("Your profile")
    browser.go(plan["login"])
    person.see("One more step is missing")
    browser.close()


main(*sys.argv[1:])
