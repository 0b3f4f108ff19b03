"""Tries what a plugin's page may do: plugin_page.py CHROMIUM PROFILE ORIGIN SESSION trusted|sandboxed

SESSION is an administrator's session cookie, which the browser has; ORIGIN is where the gateway serves the mock plugin. A
page that is sandboxed may neither read nor change anything of the host's, by whatever way; one that is trusted may. Ends
with status 0 if it is so.
"""

import json
import sys

from chromium import Browser

COOKIE = "GLEWLWYD2_SESSION_ID"

READ = """
(async () => {
  try {
    const response = await fetch(ORIGIN + '/api/profile', { credentials: 'include' });
    return { status: response.status, text: await response.text() };
  } catch (error) { return { error: String(error) }; }
})()
"""

# By every kind of request that needs no leave beforehand, and by one that does.
WRITE = """
(async () => {
  const tried = [];
  const body = JSON.stringify({ module: 'mock', name: 'planted', display_name: '', parameters: {} });
  for (const options of [
    { headers: { 'content-type': 'application/json' } },
    { headers: { 'content-type': 'text/plain' } },
    { mode: 'no-cors' },
  ]) {
    try {
      const response = await fetch(
        ORIGIN + '/api/mod/plugin/', { method: 'POST', credentials: 'include', body, ...options });
      tried.push(response.status);
    } catch (error) { tried.push(String(error)); }
  }
  return tried;
})()
"""

# A form goes there with the whole page, and a frame takes the answer in.
FORM = """
new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.name = 'frame';
  document.body.append(frame);
  const form = document.createElement('form');
  Object.assign(form, { method: 'POST', action: ORIGIN + '/api/mod/plugin/', target: 'frame', enctype: 'text/plain' });
  const field = document.createElement('input');
  field.name = '{"module":"mock","name":"planted","display_name":"","parameters":{"greeting":"';
  field.value = '"}}';
  form.append(field);
  document.body.append(form);
  frame.addEventListener('load', () => {
    try { resolve(frame.contentDocument ? frame.contentDocument.body.innerText : 'closed'); }
    catch (error) { resolve('closed'); }
  });
  form.submit();
  setTimeout(() => resolve('nothing came'), 3000);
})
"""

OPENED = """
new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.src = ORIGIN + '/profile.html';
  frame.addEventListener('load', () => {
    try { resolve(frame.contentDocument ? 'read' : 'closed'); } catch (error) { resolve('closed'); }
  });
  document.body.append(frame);
  setTimeout(() => resolve('nothing came'), 3000);
})
"""


def main(chromium, profile, origin, session, trust):
    browser = Browser(chromium, profile)
    browser.open(origin + "/login.html")
    browser.call("Network.enable")
    browser.call(
        "Network.setCookie", name=COOKIE, value=session, url=origin + "/", path="/", httpOnly=True, sameSite="Lax"
    )
    browser.go(origin + "/api/mock/page")
    tried = {
        "origin": browser.value("self.origin"),
        "cookie": browser.value("(() => { try { return document.cookie; } catch (error) { return 'closed'; } })()"),
    }
    for name, script in [("read", READ), ("write", WRITE), ("form", FORM), ("opened", OPENED)]:
        tried[name] = browser.value(script.replace("ORIGIN", json.dumps(origin)))
    browser.close()
    print(json.dumps(tried, indent=2), flush=True)

    if trust == "trusted":
        assert tried["origin"] == origin, "it is the host's own origin"
        assert tried["read"].get("status") == 200 and "admin" in tried["read"]["text"], "it reads"
        assert tried["write"][0] == 200, "it writes"
    else:
        assert tried["origin"] == "null", "it has no origin"
        assert tried["cookie"] == "closed", "there are no cookies"
        assert "error" in tried["read"], "it reads nothing"
        assert all(status != 200 for status in tried["write"]), "it writes nothing"
        assert tried["form"] in ("closed", "nothing came"), "a form tells it nothing"
        assert tried["opened"] in ("closed", "nothing came"), "it sees nothing of the host's pages"


main(*sys.argv[1:])
