# SPDX-License-Identifier: Apache-2.0
"""As much of ZMTP 3.1 and msgpack as a client needs that misbehaves below the level of a library."""

import socket
import struct
import time

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
TIMEOUT_S = 20


def frame(body, flags=0):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


def ready_command():
    properties = b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER" + b"\x08Identity" + bytes(4)
    return frame(b"\x05READY" + properties, COMMAND)


def pack(value):
    """msgpack of maps, arrays, texts and whole numbers."""
    if isinstance(value, dict):
        return b"\xde" + struct.pack(">H", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    return b"\xcf" + struct.pack(">Q", value)


CLIENT_HELLO, FETCH_ARTIFACT = 2, 54


class RawClient:
    def __init__(self, port, receive_buffer_bytes=None):
        """Waits for a coordinator that another fault has ended and that is on its way back."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            self.socket = socket.socket()
            self.socket.settimeout(TIMEOUT_S)
            if receive_buffer_bytes:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            try:
                self.socket.connect(("127.0.0.1", port))
                return
            except ConnectionRefusedError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def shake_hands(self):
        self.socket.sendall(GREETING)
        self.read(len(GREETING))
        self.socket.sendall(ready_command())
        return self.read_frame()

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the coordinator closed the connection")
            data += piece
        return data

    def read_frame(self):
        """(flags, body)"""
        flags = self.read(1)[0]
        size = struct.unpack(">Q", self.read(8))[0] if flags & LONG else self.read(1)[0]
        return flags, self.read(size)

    def send_message(self, kind, body, cluster="", correlation=0):
        envelope = {"version": 1, "cluster": cluster, "type": kind, "correlation": correlation}
        self.socket.sendall(frame(pack(envelope) + pack(body)))

    def join(self):
        """Returns the cluster's id, as the welcome's envelope names it."""
        self.shake_hands()
        self.send_message(CLIENT_HELLO, {"protocol_min": 1, "protocol_max": 1, "software": "chaos"})
        while True:
            flags, body = self.read_frame()
            if not flags & COMMAND:
                at = body.index(b"cluster") + len(b"cluster")
                size = body[at] & 0x1F
                return body[at + 1 : at + 1 + size].decode()

    def is_closed_by_peer(self):
        """Waits until the other side ends the connection, or for the limit of the socket."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True
