"""Speaks to a WebSocket echo through the `websockets` library: websocket_client.py URL

Ends with status 0 if everything came back as it should.
"""

import asyncio
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

MIB = 1024 * 1024


async def text_and_binary(url):
    async with connect(url) as websocket:
        for message in ["", "hello", "grüße, 世界 🎈", "x" * 70_000]:
            await websocket.send(message)
            assert await websocket.recv() == message
        for message in [b"", b"\0\xff" * 100, os.urandom(70_000)]:
            await websocket.send(message)
            assert await websocket.recv() == message


async def pieces(url):
    async with connect(url) as websocket:
        await websocket.send(["in ", "three ", "pieces"])
        assert await websocket.recv() == "in three pieces"
        await websocket.send([b"a", b"", b"b"])
        assert await websocket.recv() == b"ab"


async def pings(url):
    async with connect(url) as websocket:
        for _ in range(3):
            latency = await (await websocket.ping())
            assert latency >= 0
        # One in the middle of the messages.
        await websocket.send("before")
        pong = await websocket.ping(b"in between")
        await websocket.send("after")
        assert await websocket.recv() == "before"
        assert await websocket.recv() == "after"
        await pong


async def codes(url):
    for code, reason in [(1000, ""), (1000, "done"), (1001, "going"), (3000, ""), (4321, "grüße")]:
        websocket = await connect(url)
        await websocket.close(code, reason)
        assert websocket.close_code == code, websocket.close_code
        # The server echoes the code, and the close handshake was whole.
        assert websocket.protocol.close_rcvd.code == code, websocket.protocol.close_rcvd
        try:
            await websocket.send("too late")
        except ConnectionClosed:
            continue
        raise AssertionError("sent after the close")


async def large(url):
    async with connect(url, max_size=4 * MIB) as websocket:
        message = os.urandom(MIB)
        await websocket.send(message)
        assert await websocket.recv() == message
        # Sixteen more at once, while nobody reads: the echo has to wait, and so has the sender.
        messages = [os.urandom(MIB) for _ in range(16)]

        async def send():
            for message in messages:
                await websocket.send(message)

        sending = asyncio.create_task(send())
        for message in messages:
            assert await websocket.recv() == message
        await sending


async def compression(url):
    # Offered by default, and the server may leave it; without it nothing changes.
    async with connect(url, compression=None) as websocket:
        await websocket.send("plain")
        assert await websocket.recv() == "plain"


async def many(url):
    async def one(number):
        async with connect(url) as websocket:
            for count in range(20):
                message = f"{number}: {count}"
                await websocket.send(message)
                assert await websocket.recv() == message

    await asyncio.gather(*(one(number) for number in range(100)))


async def main(url):
    for part in [text_and_binary, pieces, pings, codes, large, compression, many]:
        print(part.__name__, flush=True)
        await asyncio.wait_for(part(url), 30)


asyncio.run(main(sys.argv[1]))
