"""A terminal server of Jupyter's terminado on loopback: `terminado_server.py PROGRAM [ARGUMENT…]`.

Each WebSocket on /terminal gets a terminal of its own that runs the program. The first line of the
output is the port.
"""

import asyncio
import sys

import tornado.httpserver
import tornado.netutil
import tornado.web
from terminado import TermSocket, UniqueTermManager


async def main():
    manager = UniqueTermManager(shell_command=sys.argv[1:])
    handlers = [(r"/terminal", TermSocket, {"term_manager": manager})]
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server = tornado.httpserver.HTTPServer(tornado.web.Application(handlers))
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
