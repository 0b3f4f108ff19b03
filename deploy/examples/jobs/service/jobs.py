"""Jobs, and their runs. A job is a JSON file; what it runs is up to whoever may write these, the admins."""

import json
import os
import re
import secrets
import subprocess
import threading
from dataclasses import asdict, dataclass, field


class Mistake(Exception):
    """What was written is no job, or no argument of one."""


class Broken(Exception):
    """Jobs can't be looked up, or not started. Its text says why."""


@dataclass
class Job:
    name: str
    command: list
    description: str = ""
    image_name: str = ""
    # All of them are needed. None: it is for everybody.
    authorized_groups: list = field(default_factory=list)

    @classmethod
    def of(cls, value):
        try:
            job = cls(**value)
        except TypeError as error:
            raise Mistake(f"no job: {error}") from error
        is_text = isinstance(job.name, str) and isinstance(job.description, str) and isinstance(job.image_name, str)
        if not is_text or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", job.name):
            raise Mistake("a job's name has 1 to 64 characters of a-z, 0-9 and \"-\"")
        if not job.command or not are_texts(job.command) or not are_texts(job.authorized_groups):
            raise Mistake("command and authorized_groups are lists of texts, and command is not empty")
        return job

    def is_seen_by(self, groups):
        """Whoever is in one of the groups sees the job; to run it takes all of them."""
        return not self.authorized_groups or any(group in groups for group in self.authorized_groups)


def are_texts(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


class Jobs:
    """The jobs of a directory, read anew each time."""

    def __init__(self, directory):
        self.directory = directory

    def find(self, name):
        """The job of this name, or None."""
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9-]+", name):
            return None
        path = os.path.join(self.directory, f"{name}.json")
        return self.read(path) if os.path.exists(path) else None

    def all(self):
        try:
            names = sorted(os.listdir(self.directory))
        except OSError as error:
            raise Broken(f"jobs can't be looked up: {error}") from error
        return [self.read(os.path.join(self.directory, name)) for name in names if name.endswith(".json")]

    def read(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return Job.of(json.load(file))
        except (OSError, ValueError, TypeError, Mistake) as error:
            raise Broken(f"{os.path.basename(path)} can't be read: {error}") from error

    def write(self, job):
        path = os.path.join(self.directory, f"{job.name}.json")
        # Whoever reads it meanwhile finds the old one or the new one.
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(asdict(job), file, indent=2)
        os.replace(f"{path}.new", path)


@dataclass
class Run:
    id: int
    job: Job
    args: dict
    process: subprocess.Popen

    @property
    def status(self):
        code = self.process.poll()
        return "CREATED" if code is None else "FINISHED" if code == 0 else "FAILED"


class Runs:
    """What was started. It is forgotten when the service ends."""

    def __init__(self):
        self.lock = threading.Lock()
        self.runs = {}
        self.secrets = {}

    def keep_secrets(self, name, values):
        with self.lock:
            self.secrets[name] = arguments("", values)

    def start(self, job, args):
        """Starts a job with ARG_<NAME> for each argument, and its secrets under their own names."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), **arguments("ARG_", args)}
        with self.lock:
            environment.update(self.secrets.get(job.name, {}))
        try:
            process = subprocess.Popen(job.command, env=environment, stdin=subprocess.DEVNULL, stdout=2)
        except OSError as error:
            raise Broken(f"{job.name} can't be started: {error}") from error
        run = Run(secrets.randbits(48), job, args, process)
        with self.lock:
            self.runs[run.id] = run
        return run

    def find(self, id):
        with self.lock:
            return self.runs.get(id)


def arguments(prefix, values):
    """As variables. Only such names that can't mean anything to the shell or the linker by accident."""
    if not isinstance(values, dict):
        raise Mistake("arguments are an object of texts")
    variables = {}
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or not isinstance(value, str) or "\0" in value:
            raise Mistake(f"{name!r} is no argument; a name has letters, digits and \"_\", a value is a text")
        variables[prefix + name.upper()] = value
    return variables
