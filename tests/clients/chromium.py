"""Chromium, driven with the DevTools protocol over a pipe. It runs with its sandbox, so never as root."""

import base64
import json
import os
import pwd
import subprocess
import time

FLAGS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--disable-breakpad",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--password-store=basic",
    # The certificate of the tests is nobody's; curl is the one to verify it.
    "--ignore-certificate-errors",
    "--remote-debugging-pipe",
]

# How long a page may take until it is as expected, in seconds.
PATIENCE = 15


class Browser:
    """The process and its pipe: one JSON message after the other, each ended by a zero byte."""

    def __init__(self, chromium, profile):
        theirs_in, self.out = os.pipe()
        into, theirs_out = os.pipe()
        self.messages = os.fdopen(into, "rb")
        self.count = 0
        self.session = None
        flags = FLAGS + [f"--user-data-dir={profile}"]
        os.makedirs(profile, exist_ok=True)
        somebody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if somebody:
            os.chown(profile, somebody.pw_uid, somebody.pw_gid)

        # The browser reads from descriptor 3 and writes to 4, where ours may be: out of the way first.
        def arrange():
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(read, 3)
            os.dup2(write, 4)
            if somebody:
                os.setgroups([])
                os.setgid(somebody.pw_gid)
                os.setuid(somebody.pw_uid)

        self.process = subprocess.Popen(
            [chromium, *flags, "about:blank"],
            preexec_fn=arrange,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        os.close(theirs_in)
        os.close(theirs_out)

    def read(self):
        message = bytearray()
        while (byte := self.messages.read(1)) != b"\0":
            assert byte, "the browser has gone"
            message += byte
        return json.loads(message)

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.count:
            pass
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def open(self, url):
        """Goes there, in a page of its own."""
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session = session
        self.call("Page.enable")
        self.go(url)

    def go(self, url):
        """Goes there, in the same page."""
        went = self.call("Page.navigate", url=url)
        assert "errorText" not in went, went
        while self.read().get("method") != "Page.loadEventFired":
            pass

    def value(self, script):
        """What the script gives, or the promise that it gives holds, in the page."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, json.dumps(answer)
        return answer["result"].get("value")

    def wait(self, condition, what):
        """Until the page is complete and the condition, a script, holds in it."""
        end = time.monotonic() + PATIENCE
        while not self.value(f"document.readyState === 'complete' && Boolean({condition})"):
            assert time.monotonic() < end, f"not {what}: {self.value('location.href + document.body.innerText')}"
            time.sleep(0.02)

    def look(self, width, height, dark):
        """Shows pages on a screen of this size, in light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path):
        """Writes what the page looks like, down to its end, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(10)
