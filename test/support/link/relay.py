"""A relay of TCP connections over a link with a rate, a delay, and faults.

Python, because Node sets neither the size of receive buffers nor the segment size: with those of the loopback device a sender
keeps megabytes in the kernel that a real link of the same rate would not take from the program.

Arguments: port of the target, first shape as JSON. Standard output: one line of JSON with the port, then one for each command
"counts". Standard input: commands as lines of JSON (Link in link.ts). The relay ends with its standard input.
"""

import collections
import json
import os
import random
import selectors
import socket
import struct
import sys
import time

SEGMENT = 1448
RECEIVE_BUFFER = 32 * 1024
# Bytes that a receiver which does not read may leave in the relay, as its receive window does.
WINDOW = 256 * 1024
# Time that the link makes up for after the relay did not run.
CATCH_UP = 0.02

shape = {}
stalled_until = 0.0
counts = {"up": 0, "down": 0, "connections": 0}
connections = []
selector = selectors.DefaultSelector()


def now():
    return time.monotonic()


class Flow:
    """One direction of a connection."""

    def __init__(self, connection, source, target, direction, opens_at):
        self.connection, self.source, self.target, self.direction = connection, source, target, direction
        self.queue = bytearray()
        self.flight = collections.deque()
        self.arrived = bytearray()
        self.opens_at = self.arrives_at = opens_at
        self.is_ended = self.is_shut = self.is_finished = False

    def may_read(self):
        return not self.is_ended and len(self.queue) < self.direction.queue_bytes()

    def read(self):
        try:
            data = self.source.recv(16 * 1024)
        except BlockingIOError:
            return
        except OSError:
            return self.connection.reset()
        if data:
            self.queue += data
            self.direction.wait(self)
        else:
            self.is_ended = True

    def may_send(self):
        return bool(self.queue) and len(self.arrived) < WINDOW

    def send_segment(self, departs):
        segment = bytes(self.queue[:SEGMENT])
        del self.queue[:SEGMENT]
        arrives = max(departs, self.opens_at) + self.direction.delay()
        # A lost segment arrives one round trip later, and all behind it wait for it.
        if random.random() < shape["loss"]:
            arrives += 2 * self.direction.delay()
        self.arrives_at = max(self.arrives_at, arrives)
        self.flight.append((self.arrives_at, segment))
        return len(segment)

    def deliver(self, time_now):
        while self.flight and self.flight[0][0] <= time_now:
            data = self.flight.popleft()[1]
            self.arrived += data
            counts[self.direction.name] += len(data)
        if self.arrived:
            try:
                sent = self.target.send(self.arrived)
                del self.arrived[:sent]
            except BlockingIOError:
                pass
            except OSError:
                return self.connection.reset()
        if self.is_ended and not self.queue and not self.flight and not self.arrived and not self.is_shut:
            self.is_shut = True
            try:
                self.target.shutdown(socket.SHUT_WR)
            except OSError:
                return self.connection.reset()
            self.connection.end_if_shut()


class Direction:
    """The link in one direction, which all connections share segment by segment."""

    def __init__(self, name):
        self.name = name
        self.free_at = 0.0
        self.waiting = collections.deque()

    def delay(self):
        return shape["rttMs"] / 2000

    def bytes_per_second(self):
        return shape[self.name + "MbitPerS"] * 1e6 / 8

    def queue_bytes(self):
        return shape.get("queueBytes") or max(32 * 1024, self.bytes_per_second() * shape["rttMs"] / 1000)

    def wait(self, flow):
        if not self.waiting:
            self.free_at = max(self.free_at, now())
        if flow not in self.waiting:
            self.waiting.append(flow)

    def send(self, time_now):
        rate = self.bytes_per_second()
        blocked = 0
        while self.waiting and blocked < len(self.waiting) and self.free_at <= time_now:
            flow = self.waiting.popleft()
            if not flow.queue:
                blocked = 0
                continue
            self.waiting.append(flow)
            if not flow.may_send():
                blocked += 1
                continue
            blocked = 0
            self.free_at = max(self.free_at, time_now - CATCH_UP)
            departs = self.free_at + min(SEGMENT, len(flow.queue)) / rate
            flow.send_segment(departs)
            self.free_at = departs


up, down = Direction("up"), Direction("down")


class Connection:
    def __init__(self, near, far):
        self.near, self.far = near, far
        # The handshake takes a round trip of its own.
        opens_at = now() + shape["rttMs"] / 1000
        self.flows = [Flow(self, near, far, up, opens_at), Flow(self, far, near, down, opens_at)]
        self.is_lost = False
        self.events = {}
        connections.append(self)

    def watch(self):
        for one, (reads, writes) in ((self.near, self.flows), (self.far, self.flows[::-1])):
            events = 0
            if not self.is_lost and now() >= stalled_until:
                if reads.may_read():
                    events |= selectors.EVENT_READ
                if writes.arrived:
                    events |= selectors.EVENT_WRITE
            if events == self.events.get(one, 0):
                continue
            if not events:
                selector.unregister(one)
            elif self.events.get(one, 0):
                selector.modify(one, events, self)
            else:
                selector.register(one, events, self)
            self.events[one] = events

    def reset(self):
        for one in (self.near, self.far):
            if self.events.pop(one, 0):
                selector.unregister(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        for flow in self.flows:
            flow.queue.clear()
        if self in connections:
            connections.remove(self)

    def end_if_shut(self):
        if all(flow.is_shut for flow in self.flows):
            self.reset()


def limited(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    return one


def accept():
    near, _ = listener.accept()
    far = limited(socket.socket())
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        far.connect(("127.0.0.1", target))
    except OSError:
        near.close()
        return
    near.setblocking(False)
    far.setblocking(False)
    counts["connections"] += 1
    Connection(near, far)


def obey(command):
    global stalled_until
    if "shape" in command:
        shape.update(command["shape"])
    elif "stallMs" in command:
        stalled_until = max(stalled_until, now() + command["stallMs"] / 1000)
    elif command["do"] == "reset":
        for connection in list(connections):
            connection.reset()
    elif command["do"] == "move":
        for connection in connections:
            connection.is_lost = True
    elif command["do"] == "counts":
        print(json.dumps({**counts, "open": sum(not each.is_lost for each in connections)}), flush=True)


commands = b""


def read_commands():
    global commands
    data = os.read(0, 65536)
    if not data:
        sys.exit()
    *lines, commands = (commands + data).split(b"\n")
    for line in lines:
        obey(json.loads(line))


class Schedule:
    """The faults that come again and again."""

    def __init__(self, key, fault):
        self.key, self.fault, self.at, self.period = key, fault, None, None

    def run(self, time_now):
        period = shape.get(self.key)
        if period != self.period:
            self.period = period
            self.at = time_now + period / 1000 if period else None
        if self.at is not None and time_now >= self.at:
            self.at += period / 1000
            obey(self.fault())


schedules = [
    Schedule("resetEveryMs", lambda: {"do": "reset"}),
    Schedule("moveEveryMs", lambda: {"do": "move"}),
    Schedule("stallEveryMs", lambda: {"stallMs": shape["stallMs"]}),
]


def next_wake(time_now):
    at = [each.at for each in schedules if each.at is not None]
    if time_now < stalled_until:
        return min(at + [stalled_until])
    for direction in (up, down):
        if any(flow.may_send() for flow in direction.waiting):
            at.append(direction.free_at)
    for connection in connections:
        if not connection.is_lost:
            at += [flow.flight[0][0] for flow in connection.flows if flow.flight]
    return min(at, default=time_now + 1)


target = int(sys.argv[1])
shape.update(json.loads(sys.argv[2]))
listener = limited(socket.socket())
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(256)
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ, "accept")
selector.register(sys.stdin, selectors.EVENT_READ, "command")
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)

while True:
    for connection in connections:
        connection.watch()
    wait = max(0.0, min(1.0, next_wake(now()) - now()))
    for key, events in selector.select(wait):
        if key.data == "accept":
            accept()
        elif key.data == "command":
            read_commands()
        elif key.data in connections and events & selectors.EVENT_READ:
            key.data.flows[0 if key.fileobj is key.data.near else 1].read()
    time_now = now()
    for schedule in schedules:
        schedule.run(time_now)
    if time_now < stalled_until:
        continue
    for direction in (up, down):
        direction.send(time_now)
    for connection in list(connections):
        if connection.is_lost:
            continue
        for flow in connection.flows:
            if connection in connections:
                flow.deliver(time_now)
