"""Raw frames on one interface of this network namespace, for tests: JSON lines in, JSON lines out.

in:  {"send": "<hex>", "count": 1}   a frame as it stands
     {"sync": true}                  answered when all that has arrived is told
out: {"ready": true}, then {"frame": "<hex>"} for every frame that arrives, tags of VLANs put back, {"sent": n} and {"synced": true}
"""
import json, select, socket, struct, sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, STATUS_VLAN_VALID, OUTGOING = 3, 263, 8, 16, 4
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
link.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
link.bind((sys.argv[1], 0))


def say(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def receive(flags=0):
    frame, parts, _, sender = link.recvmsg(65536, 256, flags)
    if sender[2] == OUTGOING:
        return
    for level, kind, data in parts:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
    say({"frame": frame.hex()})


def drain():
    try:
        while True:
            receive(socket.MSG_DONTWAIT)
    except BlockingIOError:
        say({"synced": True})


say({"ready": True})
rest = b""
while True:
    ready, _, _ = select.select([link, sys.stdin.buffer], [], [])
    if link in ready:
        receive()
    if sys.stdin.buffer in ready:
        data = sys.stdin.buffer.raw.read(65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "sync" in order:
                drain()
                continue
            frame = bytes.fromhex(order["send"])
            for _ in range(order.get("count", 1)):
                link.send(frame)
            say({"sent": order.get("count", 1)})
