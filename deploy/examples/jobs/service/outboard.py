"""What the service wants of Outboard: whether somebody may, and that something happened. Both go to one Unix
socket, as plain HTTP with JSON."""

import http.client
import json
import socket

# Longer than Outboard takes to give up on an auth plugin, so that the answer is Outboard's.
TIMEOUT = 10


class Unavailable(Exception):
    """Outboard can't say, or can't be reached. Nobody may be let in."""


class Outboard:
    def __init__(self, path):
        self.path = path

    def may(self, email, token, groups):
        """Whether this is somebody who is in all of these groups."""
        status, answer = self.post("/v1/authorize", {"email": email, "token": token, "required_groups": groups})
        if status == 401:
            return False
        if status != 200:
            raise Unavailable(f"authorize: status {status}: {answer.get('error', '')}")
        return answer.get("allowed") is True

    def announce(self, event):
        """Comes back once the event is on disk: from then on it is Outboard's to deliver."""
        status, answer = self.post("/v1/events", event)
        if status != 202:
            raise Unavailable(f"events: status {status}: {answer.get('error', '')}")
        return answer["receipts"][0]["id"]

    def post(self, path, value):
        connection = Connection(self.path)
        try:
            connection.request("POST", path, json.dumps(value), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{path}: {error}") from error
        finally:
            connection.close()
        try:
            answer = json.loads(text) if text else {}
        except ValueError:
            answer = {}
        return response.status, answer


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("outboard", timeout=TIMEOUT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)
