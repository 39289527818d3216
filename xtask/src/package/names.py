"""A name server for a room: cluster.test has one host and one service, at 127.0.0.1.

It answers packets with "too long, ask again on a stream" and streams with the answer, as name servers do for a service
with many pods. Says "ready" when it listens, and ends when nobody has asked for a minute.
"""

import select
import socket
import struct

HOST, SERVICE = b"\x06mingle\x07cluster\x04test\x00", b"\x07_gossip\x04_tcp\x06mingle\x07cluster\x04test\x00"
ADDRESS, SERVICES = 1, 33


def answer(query, truncated):
    end = query.index(b"\x00", 12) + 1
    name, kind = query[12:end].lower(), struct.unpack(">H", query[end : end + 2])[0]
    data = None
    if name == HOST and kind == ADDRESS:
        data = socket.inet_aton("127.0.0.1")
    elif name == SERVICE and kind == SERVICES:
        data = struct.pack(">HHH", 0, 0, 7946) + HOST
    known = name in (HOST, SERVICE)
    flags = 0x8580 | (0 if known else 3) | (0x0200 if truncated and data else 0)
    records = [data] if data and not truncated else []
    head = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12 : end + 4]
    return head + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(data)) + data for data in records)


def exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def serve():
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind(("127.0.0.1", 53))
    streams = socket.create_server(("127.0.0.1", 53))
    print("ready", flush=True)
    while ready := select.select([packets, streams], [], [], 60)[0]:
        if packets in ready:
            query, peer = packets.recvfrom(4096)
            packets.sendto(answer(query, truncated=True), peer)
        if streams in ready:
            stream, _ = streams.accept()
            stream.settimeout(10)
            with stream:
                query = exactly(stream, struct.unpack(">H", exactly(stream, 2))[0])
                said = answer(query, truncated=False)
                stream.sendall(struct.pack(">H", len(said)) + said)


serve()
