"""A holder that is not ours: the frames of protocol 1, by code of its own, under whatever number it
is told.

old_holder.py RUN_DIR RUN_ID ATTEMPT PROTOCOL PROGRAM... holder

The last word is what processes of holders are known by. It runs PROGRAM in a terminal, says Hello
to whoever connects, obeys Stop and SIGTERM, and waits for Ack behind its exit. With STUBBORN in its
environment it does not heed SIGTERM.
"""

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import sys

run_dir, run_id, attempt, protocol = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
argv = sys.argv[5:-1]

lock = open(os.path.join(run_dir, "holder.lock"), "r+")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.seek(0)
lock.truncate()
lock.write(f"{attempt}\n")
lock.flush()
os.setsid()
path = os.path.join(run_dir, "holder.sock")
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o600)
listener.listen()

child, master = pty.fork()
if child == 0:
    os.environ["ABBADO_RUN_ID"] = run_id
    os.execvp(argv[0], argv)

output = open(os.path.join(run_dir, "output.log"), "ab")
start = output.tell()
peers = {}
exit_report = None
stopping = released = False


def stop(*_):
    global stopping
    stopping = True
    if exit_report is None:
        os.kill(child, signal.SIGTERM)


def terminate(*_):
    global released
    released = True
    stop()


signal.signal(signal.SIGTERM, signal.SIG_IGN if "STUBBORN" in os.environ else terminate)


def send(peer, kind, body):
    try:
        peer.sendall(struct.pack("<IB", len(body), kind) + body)
    except OSError:
        pass


def hello():
    return json.dumps({
        "protocol": protocol, "run_id": run_id, "attempt": attempt, "pid": child, "argv": argv,
        "start": start, "offset": output.tell(), "cols": 80, "rows": 24, "exit": exit_report,
    }).encode()


while not (exit_report and released):
    ready, _, _ = select.select([listener, *peers] + ([master] if exit_report is None else []), [], [], 0.05)
    for one in ready:
        if one is listener:
            peer, _ = listener.accept()
            peers[peer] = b""
            send(peer, 1, hello())
        elif one == master:
            try:
                output.write(os.read(master, 65536))
                output.flush()
            except OSError:
                pass
        else:
            try:
                piece = one.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                del peers[one]
                continue
            peers[one] += piece
            while len(peers[one]) >= 5:
                length, kind = struct.unpack("<IB", peers[one][:5])
                if len(peers[one]) < 5 + length:
                    break
                peers[one] = peers[one][5 + length:]
                if kind == 20:
                    stop()
                elif kind == 21:
                    released = True
    if exit_report is None:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            by_signal = os.WIFSIGNALED(status)
            exit_report = {
                "attempt": attempt, "pid": child,
                "code": None if by_signal else os.WEXITSTATUS(status),
                "signal": signal.Signals(os.WTERMSIG(status)).name if by_signal else None,
            }
            with open(os.path.join(run_dir, "exit.json.new"), "w") as file:
                json.dump(exit_report, file)
            os.rename(os.path.join(run_dir, "exit.json.new"), os.path.join(run_dir, "exit.json"))
            for peer in peers:
                send(peer, 5, json.dumps(exit_report).encode())
os.unlink(path)
