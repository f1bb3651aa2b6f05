"""Stands in for SQL Server: lets in who knows the password of sa, and nobody else.

A login is an HTTP request with basic authentication. The password comes in MSSQL_SA_PASSWORD, as SQL Server takes it.
"""

import base64
import hmac
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOGIN = b"Basic " + base64.b64encode(b"sa:" + os.environb[b"MSSQL_SA_PASSWORD"])


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        login = self.headers.get("Authorization", "").encode()
        known = hmac.compare_digest(login, LOGIN)
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b"Welcome, sa.\n" if known else b"Login failed for user 'sa'.\n")


# The first process of a container does not end by SIGTERM unless it says so.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ThreadingHTTPServer(("", 1433), Server).serve_forever()
