"""Speaks HTTP/2 to the mock plugin through the `h2` library, which checks what comes: http2_client.py HOST PORT

Ends with status 0 if everything came as it should.
"""

import hashlib
import json
import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings


class Answer:
    """What came on a stream."""

    def __init__(self):
        self.interim = []
        self.headers = {}
        self.body = bytearray()
        self.trailers = {}
        self.reset = None
        self.is_over = False

    @property
    def status(self):
        return int(self.headers[":status"])


class Connection:
    def __init__(self, address, **settings):
        self.socket = socket.create_connection(address, timeout=20)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings({h2.settings.SettingCodes[name]: value for name, value in settings.items()})
        self.answers = {}
        self.pongs = 0
        # Whether what comes is acknowledged at once, so that more may come.
        self.is_reading = True
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, method, path, headers=(), body=None, trailers=None):
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        head = [(":method", method), (":scheme", "http"), (":path", "/api/mock/" + path), (":authority", "test")]
        ends = body is None
        self.h2.send_headers(stream, head + list(headers), end_stream=ends)
        self.flush()
        if not ends:
            self.send(stream, body, trailers)
        return stream

    def send(self, stream, body, trailers=None, end=True):
        """Sends as the windows allow, and takes what comes meanwhile."""
        at = 0
        while at < len(body):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            piece = body[at : at + room]
            at += len(piece)
            self.h2.send_data(stream, piece)
            self.flush()
        if trailers:
            self.h2.send_headers(stream, trailers, end_stream=True)
        elif end:
            self.h2.end_stream(stream)
        self.flush()

    def receive(self):
        data = self.socket.recv(65536)
        assert data, "the server ends the connection"
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()

    def handle(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.InformationalResponseReceived():
                answer.interim.append(dict(event.headers))
            case h2.events.ResponseReceived():
                answer.headers = dict(event.headers)
            case h2.events.DataReceived():
                answer.body += event.data
                if self.is_reading and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                answer.trailers = dict(event.headers)
            case h2.events.StreamEnded():
                answer.is_over = True
            case h2.events.StreamReset():
                answer.reset = event.error_code
                answer.is_over = True
            case h2.events.PingAckReceived():
                self.pongs += 1
            case h2.events.ConnectionTerminated():
                raise AssertionError(f"terminated: {event}")

    def answer(self, stream):
        while not self.answers[stream].is_over:
            self.receive()
        return self.answers[stream]

    def get(self, path, headers=()):
        return self.answer(self.request("GET", path, headers))


def pattern(count):
    return (bytes(range(251)) * (count // 251 + 1))[:count]


def simple(address):
    connection = Connection(address)
    answer = connection.get("hello/you")
    assert (answer.status, bytes(answer.body)) == (200, b"Hello, you!\n"), vars(answer)
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"]:
        assert name not in answer.headers, answer.headers
    echo = json.loads(connection.get("echo/x?a=b", [("x-two", "1"), ("x-two", "2"), ("cookie", "a=b"), ("cookie", "c=d")]).body)
    assert echo["protocol"] == "HTTP/2.0" and echo["authority"] == "test" and echo["query"] == "a=b", echo
    headers = [tuple(header) for header in echo["headers"]]
    assert ("x-two", "1") in headers and ("x-two", "2") in headers, headers
    # RFC 9113 section 8.2.3: put together before anybody else sees them.
    assert [value for name, value in headers if name == "cookie"] == ["a=b; c=d"], headers
    assert not any(name.startswith(":") for name, _ in headers), headers
    assert connection.get("none").status == 404
    assert connection.get("status/204").status == 204


def at_once(address):
    connection = Connection(address)
    slow = connection.request("GET", "slow?ms=300")
    streams = [connection.request("GET", f"hello/{number}") for number in range(80)]
    for number, stream in enumerate(streams):
        answer = connection.answer(stream)
        assert bytes(answer.body) == f"Hello, {number}!\n".encode(), vars(answer)
    # The slow one was first, and held up nobody.
    assert not connection.answers[slow].is_over
    assert connection.answer(slow).status == 200


def trailers(address):
    connection = Connection(address)
    answer = connection.get("trailers", [("te", "trailers")])
    assert bytes(answer.body) == b"body\n" and answer.trailers.get("x-checksum"), vars(answer)
    stream = connection.request(
        "POST", "mirror?trailers=x-sum", [("te", "trailers")], b"hello", [("x-sum", "5d41"), ("x-other", "y")]
    )
    answer = connection.answer(stream)
    assert bytes(answer.body) == b"hello" and answer.trailers.get("x-sum") == "5d41", vars(answer)


def interim(address):
    connection = Connection(address)
    # The gateway can't pass hints on over HTTP/2, and the answer comes all the same.
    answer = connection.get("hints")
    assert answer.status == 200 and "link" in answer.headers, vars(answer)
    stream = connection.request("POST", "upload", [("expect", "100-continue"), ("content-length", "5")], b"hello")
    assert connection.answer(stream).status == 200


def bodies(address):
    connection = Connection(address)
    count = 3_000_000
    answer = connection.get(f"download?bytes={count}")
    assert answer.headers["content-length"] == str(count) and bytes(answer.body) == pattern(count)
    answer = connection.answer(connection.request("POST", "upload", body=pattern(count)))
    told = json.loads(answer.body)
    assert told["bytes"] == count and told["sha256"] == hashlib.sha256(pattern(count)).hexdigest(), told
    assert bytes(connection.answer(connection.request("POST", "mirror", body=pattern(count))).body) == pattern(count)
    # Four downloads at once share the connection's window.
    streams = [connection.request("GET", f"download?bytes={count}&chunked=1") for _ in range(4)]
    for stream in streams:
        assert bytes(connection.answer(stream).body) == pattern(count)


def windows(address):
    """A stream whose window is shut holds up nobody but itself."""
    connection = Connection(address, INITIAL_WINDOW_SIZE=1000)
    connection.is_reading = False
    shut = connection.request("GET", "download?bytes=100000")
    while len(connection.answers[shut].body) < 1000:
        connection.receive()
    assert connection.get("hello/you").status == 200
    assert len(connection.answers[shut].body) == 1000
    # Opened a little: a little comes.
    connection.h2.increment_flow_control_window(17, shut)
    connection.flush()
    while len(connection.answers[shut].body) < 1017:
        connection.receive()
    connection.h2.increment_flow_control_window(100_000, shut)
    connection.h2.increment_flow_control_window(1_000_000)
    connection.flush()
    assert bytes(connection.answer(shut).body) == pattern(100_000)


def resets(address):
    connection = Connection(address)
    for path in ["slow?ms=60000", "download?bytes=100000000", "stall?after=10"]:
        stream = connection.request("GET", path)
        connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        connection.flush()
    answer = connection.get("break?after=5000000")
    assert answer.status == 200 and answer.reset not in (None, h2.errors.ErrorCodes.NO_ERROR), vars(answer)
    # Refused while the body was on its way: the answer is whole all the same.
    stream = connection.h2.get_next_available_stream_id()
    connection.answers[stream] = Answer()
    head = [(":method", "POST"), (":scheme", "http"), (":path", "/api/mock/early"), (":authority", "test")]
    connection.h2.send_headers(stream, head)
    connection.flush()
    answer = connection.answer(stream)
    assert answer.status == 403, vars(answer)
    connection.h2.ping(b"12345678")
    connection.flush()
    while connection.pongs == 0:
        connection.receive()
    assert connection.get("hello/you").status == 200


def head(address):
    connection = Connection(address)
    answer = connection.answer(connection.request("HEAD", "download?bytes=1000"))
    assert answer.headers["content-length"] == "1000" and not answer.body, vars(answer)


def main(host, port):
    for part in [simple, at_once, trailers, interim, bodies, windows, resets, head]:
        print(part.__name__, flush=True)
        part((host, int(port)))


main(*sys.argv[1:])
