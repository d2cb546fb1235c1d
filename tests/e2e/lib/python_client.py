"""The client of Debian's python3-socketio, as a script writes it: what happens to it, a line of JSON each.

    python_client.py URL CA TRANSPORT TOKEN-FILE

Ends when its standard input does.
"""
import json
import sys

import requests
import socketio

url, ca, transport, token_file = sys.argv[1:]
with open(token_file, encoding="ascii") as file:
    token = file.read()


def say(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


session = requests.Session()
session.verify = ca
client = socketio.Client(http_session=session, reconnection_delay=0.05, handle_sigint=False)
client.on("connect", lambda: say("connect", transport=client.transport()))
client.on("disconnect", lambda: say("disconnect"))
client.on("connect", lambda: say("connect", namespace="/messaging"), namespace="/messaging")
client.on("client:created", lambda data, cursor: say("event", data=data, cursor=cursor))
client.on("client:created", lambda data, cursor: say("event", data=data, namespace="/messaging"), namespace="/messaging")

client.connect(url, transports=[transport], auth={"token": token}, namespaces=["/", "/messaging"], wait_timeout=10)
client.emit("vigie:join", "conversation:1", callback=lambda answer: say("joined", answer=answer))
client.emit("hello", {"anybody": "there"}, callback=lambda answer: say("answered", answer=answer))
for line in sys.stdin:
    if line.strip() == "leave":
        break
client.disconnect()
say("end")
