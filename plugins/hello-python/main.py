"""A plugin in Python with nothing but grpcio and stubs generated from proto/.

It says where it listens, tells the host its name, publishes one endpoint through OUTBOARD_HOST_ADDRESS
when an instance is made, and answers that endpoint's requests.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from outboard.host.v1 import endpoints_pb2, endpoints_pb2_grpc
from outboard.plugin.v1 import http_pb2, http_pb2_grpc, lifecycle_pb2, lifecycle_pb2_grpc, message_pb2

COOKIE = "7e1d9b54c0a84d9c8f0c3ba1d1f5a2be"
HELLO = 1  # our number for the endpoint; requests carry it


class Hello(lifecycle_pb2_grpc.LifecycleServicer, http_pb2_grpc.HttpServicer):
    """The calls that are left out answer UNIMPLEMENTED, which the host expects."""

    def __init__(self, host):
        self.endpoints = endpoints_pb2_grpc.EndpointsStub(host)
        self.greetings = {}  # by activation

    def Load(self, request, context):
        return lifecycle_pb2.LoadResponse(
            name="hello-python",
            version="0.1.0",
            display_name="Hello from Python",
            capabilities=[lifecycle_pb2.CAPABILITY_HTTP_HANDLE],
        )

    def Check(self, request, context):
        return lifecycle_pb2.CheckResponse(problems=problems(json.loads(request.parameters or "{}")))

    def Init(self, request, context):
        parameters = json.loads(request.parameters or "{}")
        if found := problems(parameters):
            return lifecycle_pb2.InitResponse(problems=found)
        hello = endpoints_pb2.Endpoint(id=HELLO, method="GET", url="hello/:name")
        self.endpoints.Add(
            endpoints_pb2.AddRequest(endpoints=[hello]),
            metadata=[("outboard-activation", request.activation)],
            timeout=5,
        )
        self.greetings[request.activation] = parameters.get("greeting", "Hello")
        return lifecycle_pb2.InitResponse()

    def Close(self, request, context):
        self.greetings.pop(request.activation, None)
        return lifecycle_pb2.CloseResponse()

    def Unload(self, request, context):
        return lifecycle_pb2.UnloadResponse()

    def Handle(self, request, context):
        greeting = self.greetings[request.activation]
        name = request.match.variables[0].value.decode(errors="replace")
        plain = message_pb2.Header(name="content-type", value=b"text/plain; charset=utf-8")
        return http_pb2.HandleResponse(
            response=message_pb2.Response(headers=[plain]),
            body=f"{greeting}, {name}, from Python!\n".encode(),
        )


def problems(parameters):
    if isinstance(parameters.get("greeting", ""), str):
        return []
    return [lifecycle_pb2.Problem(pointer="/greeting", message="must be a string")]


def main():
    if os.environ.get("OUTBOARD_PLUGIN") != COOKIE:
        sys.exit("this program is a plugin: put it into Outboard's plugin directory")

    server = grpc.server(ThreadPoolExecutor())
    # gRPC's C core would send the socket's path as :authority, which strict HTTP/2 servers refuse.
    options = [("grpc.default_authority", "localhost")]
    plugin = Hello(grpc.insecure_channel(os.environ["OUTBOARD_HOST_ADDRESS"], options))
    lifecycle_pb2_grpc.add_LifecycleServicer_to_server(plugin, server)
    http_pb2_grpc.add_HttpServicer_to_server(plugin, server)

    # Three ways to be asked to go: go-plugin's call, a signal, and the end of stdin when the host is lost.
    asked = threading.Event()
    shutdown = grpc.unary_unary_rpc_method_handler(lambda request, context: asked.set() or b"")
    controller = grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": shutdown})
    server.add_generic_rpc_handlers([controller])
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=lambda: (os.read(0, 1), asked.set()), daemon=True).start()

    directory = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
    socket = os.path.join(directory, f"hello-python-{os.getpid()}")
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print(f"1|1|unix|{socket}|grpc|", flush=True)

    asked.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
