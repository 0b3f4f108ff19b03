"""A service that runs jobs, with the routes of Proctor: https://github.com/gojek/proctor. Who somebody is, nginx
has asked Outboard before a request comes here, and wrote it into its headers. Whether they may run a certain job
depends on the job, so that is asked from here.

It listens on a Unix socket which only nginx can reach, and so believes what nginx says. Python's own library is
all it takes.
"""

import argparse
import grp
import itertools
import json
import os
import re
import socketserver
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler

from jobs import Broken, Job, Jobs, Mistake, Runs
from outboard import Outboard, Unavailable

MAX_BODY = 1024 * 1024


class Answer(Exception):
    """Ends a request. Raised from wherever that is clear."""

    def __init__(self, status, value="", headers=()):
        super().__init__(status)
        self.status, self.value, self.headers = status, value, headers


class User:
    """Whom nginx has let in, as Outboard has told it. What is not plain comes percent-encoded."""

    def __init__(self, headers):
        self.email = urllib.parse.unquote(headers["Outboard-User-Email"])
        groups = headers.get("Outboard-User-Groups", "").split(",")
        self.groups = [urllib.parse.unquote(group.strip()) for group in groups if group.strip()]


class Service:
    def __init__(self, jobs, outboard, has_auth):
        self.jobs, self.outboard, self.has_auth = jobs, outboard, has_auth
        self.runs = Runs()
        self.lock = threading.Lock()
        self.schedules = {}
        self.schedule_ids = itertools.count(1)

    # What can be asked for.

    def ping(self, request):
        raise Answer(200, "pong\n")

    def execute(self, request):
        body = request.json()
        job = self.wanted(request, body)
        run = self.start(job, body.get("args") or {}, request.user.email if request.user else "")
        raise Answer(201, run)

    def status(self, request, id):
        run = self.runs.find(int(id))
        if run is None:
            raise Answer(404)
        raise Answer(200, {"executionId": run.id, "jobName": run.job.name, "status": run.status})

    def list_jobs(self, request):
        jobs = self.jobs.all()
        if request.user:
            jobs = [job for job in jobs if job.is_seen_by(request.user.groups)]
        shown = ("name", "description", "image_name", "authorized_groups")
        raise Answer(200, [{key: getattr(job, key) for key in shown} for job in jobs])

    def describe(self, request):
        """For admins alone: nginx has seen to that."""
        described = request.json()
        for job in described if isinstance(described, list) else [described]:
            self.jobs.write(Job.of(job))
        raise Answer(201)

    def keep_secrets(self, request):
        """For admins alone, too."""
        body = request.json()
        job = self.known(body.get("job_name"))
        self.runs.keep_secrets(job.name, body.get("secrets"))
        raise Answer(201)

    def schedule(self, request):
        body = request.json()
        job = self.wanted(request, body)
        seconds = body.get("seconds")
        if not isinstance(seconds, int) or not 1 <= seconds <= 31_536_000:
            raise Answer(400, "seconds: how often, 1 to 31536000\n")
        email = request.user.email if request.user else ""
        schedule = Schedule(next(self.schedule_ids), job, body.get("args") or {}, seconds, email, self)
        with self.lock:
            self.schedules[schedule.id] = schedule
        schedule.wait()
        raise Answer(201, schedule.shown())

    def list_schedules(self, request):
        with self.lock:
            raise Answer(200, [schedule.shown() for schedule in self.schedules.values()])

    def end_schedule(self, request, id):
        with self.lock:
            schedule = self.schedules.pop(int(id), None)
        if schedule is None:
            raise Answer(404)
        schedule.timer.cancel()
        raise Answer(200, schedule.shown())

    ROUTES = [
        ("GET", "/ping", ping),
        ("POST", "/execution", execute),
        ("GET", "/execution/([0-9]{1,18})/status", status),
        ("GET", "/metadata", list_jobs),
        ("POST", "/metadata", describe),
        ("POST", "/secret", keep_secrets),
        ("POST", "/schedule", schedule),
        ("GET", "/schedule", list_schedules),
        ("DELETE", "/schedule/([0-9]{1,18})", end_schedule),
    ]

    # What these have in common.

    def wanted(self, request, body):
        """The job that a body names, if whoever asks may run it. What is run is this very job: were the name read
        twice, one could be allowed and another one run."""
        job = self.known(body.get("jobName") or body.get("name"))
        if self.has_auth:
            self.check(request, job)
        return job

    def known(self, name):
        if not isinstance(name, str) or not name:
            raise Answer(400, "name: which job?\n")
        job = self.jobs.find(name)
        if job is None:
            raise Answer(404, "there is no such job\n")
        return job

    def check(self, request, job):
        email, token = (request.headers.get(name, "") for name in ("Email-Id", "Access-Token"))
        if not self.outboard.may(email, token, job.authorized_groups):
            raise Answer(403)

    def start(self, job, args, email):
        run = self.runs.start(job, args)
        content = {
            "ExecutionID": str(run.id),
            "JobName": job.name,
            "ImageTag": job.image_name,
            "Args": json.dumps(args, ensure_ascii=False, sort_keys=True),
            "Status": "CREATED",
        }
        event = {"type": "EXECUTION_EVENT", "user": {"email": email}, "content": content}
        try:
            receipt = self.outboard.announce(event)
        except Unavailable as error:
            # The job runs already. Who is told that it failed would start it once more.
            print(f"the start of {run.id} was not announced: {error}", file=sys.stderr)
            receipt = None
        return {"executionId": run.id, "jobName": job.name, "status": "CREATED", "event": receipt}


class Schedule:
    """Runs a job again and again, until it is ended."""

    def __init__(self, id, job, args, seconds, email, service):
        self.id, self.job, self.args, self.seconds, self.email = id, job, args, seconds, email
        self.service = service

    def wait(self):
        self.timer = threading.Timer(self.seconds, self.run)
        self.timer.daemon = True
        self.timer.start()

    def run(self):
        try:
            self.service.start(self.job, self.args, self.email)
        except (Broken, Mistake) as error:
            print(f"schedule {self.id}: {error}", file=sys.stderr)
        with self.service.lock:
            if self.id in self.service.schedules:
                self.wait()

    def shown(self):
        return {"id": self.id, "jobName": self.job.name, "seconds": self.seconds, "userEmail": self.email}


class Request(BaseHTTPRequestHandler):
    """One request, or one after the other from nginx."""

    timeout = 60

    def answer(self):
        try:
            self.route()
        except Answer as answer:
            self.send(answer)
        except Mistake as mistake:
            self.send(Answer(400, f"{mistake}\n"))
        except Broken as broken:
            self.send(Answer(500, f"{broken}\n"))
        except Unavailable as error:
            print(error, file=sys.stderr)
            self.send(Answer(503, "", [("Retry-After", "1")]))

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def route(self):
        path = self.path.split("?")[0]
        found = [(method, re.fullmatch(pattern, path), do) for method, pattern, do in Service.ROUTES]
        found = [(method, match, do) for method, match, do in found if match]
        if not found:
            raise Answer(404)
        self.user = User(self.headers) if self.headers.get("Outboard-User-Email") else None
        service = self.server.service
        if service.has_auth and self.user is None and path != "/ping":
            raise Answer(401)
        for method, match, do in found:
            if method == self.command:
                do(service, self, *match.groups())
        raise Answer(405, "", [("Allow", ", ".join(method for method, _, _ in found))])

    def json(self):
        """The body, which is an object, or where a job is described a list."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise Answer(413)
        try:
            value = json.loads(self.rfile.read(int(length)))
        except ValueError:
            raise Answer(400, "the body can't be parsed as JSON\n") from None
        if not isinstance(value, dict) and not (isinstance(value, list) and self.path == "/metadata"):
            raise Answer(400, "the body must be a JSON object\n")
        return value

    def send(self, answer):
        is_text = isinstance(answer.value, str)
        body = (answer.value if is_text else json.dumps(answer.value) + "\n").encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if is_text else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(body)

    def log_message(self, *_):
        """nginx can log requests."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    arguments = argparse.ArgumentParser(description="Runs jobs.")
    arguments.add_argument("--socket", required=True, help="where to listen")
    arguments.add_argument("--group", help="who besides the own user may connect: the group of nginx")
    arguments.add_argument("--outboard", required=True, help="Outboard's service socket")
    arguments.add_argument("--jobs", required=True, help="a directory with a JSON file for each job")
    arguments.add_argument("--no-auth", action="store_true", help="everybody may do everything")
    given = arguments.parse_args()

    os.umask(0o177)
    server = Server(given.socket, Request)
    os.umask(0o022)
    if given.group:
        os.chown(given.socket, -1, grp.getgrnam(given.group).gr_gid)
        os.chmod(given.socket, 0o660)
    server.service = Service(Jobs(given.jobs), Outboard(given.outboard), not given.no_auth)
    server.serve_forever()


if __name__ == "__main__":
    main()
