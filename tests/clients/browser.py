"""Drives Chromium through what pages do with a server: browser.py CHROMIUM PROFILE ORIGIN

PROFILE is a directory that the browser may make and use; ORIGIN is where the gateway serves the mock plugin. Speaks
the DevTools protocol over a pipe. Ends with status 0 if everything is as it should be.
"""

import json
import sys

from chromium import Browser

EVENTS = """
new Promise((resolve, reject) => {
  const seen = [];
  const source = new EventSource('/api/mock/sse?count=5&ms=50');
  source.onerror = () => reject(new Error('after ' + JSON.stringify(seen)));
  source.onmessage = (event) => {
    seen.push({ id: Number(event.lastEventId), data: event.data });
    if (seen.length === 5) { source.close(); resolve(seen); }
  };
})
"""

# Each comes when it was sent: the second is an hour away, so what comes was not kept back until the end.
FIRST_EVENT = """
new Promise((resolve, reject) => {
  const source = new EventSource('/api/mock/sse?count=2&ms=3600000');
  source.onerror = () => reject(new Error('no event'));
  source.onmessage = (event) => { source.close(); resolve(event.data); };
})
"""

WEBSOCKET = """
new Promise((resolve, reject) => {
  const url = new URL('/api/mock/ws', BASE);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const large = 'x'.repeat(1024 * 1024);
  const sent = ['hello', 'grüße', large, new Uint8Array([0, 255, 7]).buffer];
  const came = [];
  socket.onopen = () => sent.forEach((message) => socket.send(message));
  socket.onmessage = (event) => {
    came.push(event.data);
    if (came.length === sent.length) { socket.close(4000, 'done'); }
  };
  socket.onclose = (event) => resolve({
    texts: came.slice(0, 2), isLarge: came[2] === large, bytes: Array.from(new Uint8Array(came[3])),
    code: event.code, reason: event.reason, wasClean: event.wasClean, extensions: socket.extensions,
  });
  socket.onerror = () => reject(new Error('after ' + came.length + ' messages'));
})
"""

DOWNLOAD = """
(async () => {
  const response = await fetch('/api/mock/download?bytes=5000000');
  let at = 0, isGood = true, pieces = 0;
  for (const reader = response.body.getReader();;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces += 1;
    for (const byte of value) { isGood &&= byte === at % 251; at += 1; }
  }
  const [entry] = performance.getEntriesByName(response.url);
  return { status: response.status, bytes: at, isGood, pieces, protocol: entry.nextHopProtocol };
})()
"""

UPLOAD = """
(async () => {
  const bytes = new Uint8Array(2_000_000).map((_, at) => at % 251);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const answer = await (await fetch('/api/mock/upload', { method: 'POST', body: bytes })).json();
  return { bytes: answer.bytes, isSame: answer.sha256 === sha256 };
})()
"""

# One that is given up in the middle, and one that the plugin breaks off.
ENDS = """
(async () => {
  const controller = new AbortController();
  const response = await fetch('/api/mock/download?bytes=1000000000', { signal: controller.signal });
  const reader = response.body.getReader();
  await reader.read();
  controller.abort();
  const name = async (what) => { try { await what(); return 'none'; } catch (error) { return error.name; } };
  const aborted = await name(() => reader.read());
  const broken = await name(async () => (await fetch('/api/mock/break?after=5000000')).arrayBuffer());
  return { aborted, broken, after: await (await fetch('/api/mock/hello/you')).text() };
})()
"""


def check(name, value, **expected):
    print(name, value, flush=True)
    wrong = {key: value[key] for key in expected if value[key] != expected[key]}
    assert not wrong, f"{name}: {wrong} instead of {expected}"


def websocket(browser, base):
    value = browser.value(WEBSOCKET.replace("BASE", json.dumps(base)))
    check("websocket", value, texts=["hello", "grüße"], isLarge=True, bytes=[0, 255, 7])
    check("its end", value, code=4000, wasClean=True)


def main(chromium, profile, origin):
    browser = Browser(chromium, profile)
    # A page of the host's own, which is not sandboxed: it has this origin.
    browser.open(origin + "/")
    assert browser.value("self.origin") == origin, browser.value("self.origin")

    events = browser.value(EVENTS)
    print("events", events, flush=True)
    ids = [event["id"] for event in events]
    assert ids == list(range(ids[0], ids[0] + 5)), ids
    print("first event", browser.value(FIRST_EVENT), flush=True)

    websocket(browser, origin)
    protocol = "h2" if origin.startswith("https:") else "http/1.1"
    download = browser.value(DOWNLOAD)
    check("download", download, status=200, bytes=5_000_000, isGood=True, protocol=protocol)
    assert download["pieces"] > 1, "it came at once"
    check("upload", browser.value(UPLOAD), bytes=2_000_000, isSame=True)
    check("ends", browser.value(ENDS), aborted="AbortError", broken="TypeError", after="Hello, you!\n")

    # A page of the plugin's is of no origin, and may open a WebSocket all the same.
    browser.open(origin + "/api/mock/hello/you")
    assert browser.value("self.origin") == "null", browser.value("self.origin")
    websocket(browser, origin)
    browser.close()


main(*sys.argv[1:])
