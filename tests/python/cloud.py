"""Where Azure is, for a script under test.

The test that starts a script writes one JSON object to its standard input: `routes` maps
`host:port` to a loopback port, the rest is what the script asks for. Azure's real names are then
found at the simulator, and no other name is found at all, so that a script can never reach beyond
this machine.
"""

import json
import socket
import sys

CONFIG = json.load(sys.stdin)


def _find(host, port, *_args, **_kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    try:
        there = CONFIG["routes"][f"{name}:{port}"]
    except KeyError:
        raise socket.gaierror(socket.EAI_NONAME, f"{name}:{port} is not part of this cloud") from None
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", there))]


socket.getaddrinfo = _find


def refused(call, *args, **kwargs):
    """Status, code and class of the error a call must end with."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        result = call(*args, **kwargs)
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        return {"class": type(error).__name__, "status": error.status_code, "code": code, "message": error.message}
    except AzureError as error:
        return {"class": type(error).__name__, "message": error.message}
    return {"class": None, "message": f"not refused: {result}"}


def report(**observations):
    """Prints what a script has seen, for the test to judge."""
    json.dump(observations, sys.stdout, default=str)
