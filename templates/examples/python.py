# pip install websockets, save this as hello.py, run: python3 hello.py
import asyncio
import itertools
import json
import uuid

from websockets.asyncio.client import connect

URL = "{{ws}}/v1/connect"
TOKEN = "{{token}}"  # speaks for alice, for an hour


async def main():
    async with connect(URL, subprotocols=["tokenim.v1.json"]) as socket:
        numbers = itertools.count(1)

        async def tell(command, fields):
            number = next(numbers)
            await socket.send(json.dumps({"id": number, command: fields}))
            return number

        async def call(command, fields):
            number = await tell(command, fields)
            while True:
                message = json.loads(await socket.recv())
                if message.get("id") == number:
                    if "error" in message:
                        raise SystemExit(message["error"])
                    return message["ok"]

        await call("connect", {"token": TOKEN, "sdk": "python"})
        await call("conversation.create", {"kind": "group", "id": "quickstart", "members": ["bob"]})
        message = {"client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": "Hello from Python"}}
        ack = await call("send", {"conversation": "quickstart", **message})
        print("stored as seq", ack["seq"], flush=True)
        async for text in socket:
            push = json.loads(text).get("push", {})
            if push.get("type") == "ping":
                await socket.send('{"pong":{}}')
            if push.get("type") == "message":
                print(f"{push['sender']}: {push['body']['text']}", flush=True)
                # Say what you have: where 1,000 messages are not confirmed, the server waits.
                await tell("received", {"conversation": push["conversation"], "seq": push["seq"]})


asyncio.run(main())
