"""Asks a server as whoever runs this: raw requests from stdin, raw answers to stdout.

stdin: {"host", "port", "how", "requests": [text, ...]}. how: "wait" reads each answer up to the end
of the connection (or of the head, where it stays open), "close" closes at once after writing,
"reset" does so with a reset. stdout: {"uid", "answers": [text, ...]}; no answer is "".
"""

import json
import os
import socket
import struct
import sys

order = json.load(sys.stdin)
answers = []
for request in order["requests"]:
    peer = socket.create_connection((order["host"], order["port"]), timeout=10)
    heard = b""
    try:
        if order["how"] == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.sendall(request.encode())
        while order["how"] == "wait":
            piece = peer.recv(65536)
            heard += piece
            stays = b"text/event-stream" in heard or b"Switching Protocols" in heard
            if not piece or (stays and b"\r\n\r\n" in heard):
                break
    except ConnectionError:
        # Refused in the middle of writing; what was heard before is the answer.
        pass
    peer.close()
    answers.append(heard.decode(errors="replace"))
json.dump({"uid": os.getuid(), "answers": answers}, sys.stdout)
