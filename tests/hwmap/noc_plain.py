"""The rules of the network on the chip once more, slowly, in plain objects: an oracle for the compiled simulation."""

from collections import deque

import numpy as np

from spsnn.hwmap.cost.route import xy_route


class Buffer:
    """Messages in the order of arrival; ``taken`` counts places that are promised too."""

    def __init__(self, depth):
        self.depth, self.queue, self.taken, self.left = depth, deque(), 0, 0


class Channel:
    """A server that fills ``into`` (None: the message is done) from buffers that it takes in turn."""

    def __init__(self, name, flit_ns, into):
        self.name, self.flit_ns, self.into = name, flit_ns, into
        self.inputs, self.waiting, self.turn, self.job, self.waited, self.sent = [], set(), -1, None, 0.0, 0


def plain_step(chip, settings, hops, spiking, active):
    """One step: ``{(neuron, core): (arrived, done)}``, its length, and wait and messages of every channel by name.

    Args:
        chip: placed by hand.
        settings: ``NocSettings``.
        hops: ns east-west and north-south.
        spiking, active: sets of neurons.
    """
    flat, target, core_of = chip.flat, chip.target, chip.partition.core
    tiles, n_cores = [tuple(t) for t in chip.routing.core_tile.tolist()], chip.partition.n_cores
    links, ejects, engines, injects = {}, [], [], []

    def link(at):
        d = at[2]
        if at not in links:
            links[at] = Channel(at, hops[d // 2], Buffer(settings.buffer_depth))
        return links[at]

    for y in range(target.mesh_height):
        for x in range(target.mesh_width):
            for d in range(4):
                link((x, y, d))
    for c in range(n_cores):
        ejects.append(Channel(("eject", c), target.time_within_tile_ns, Buffer(settings.receive_depth)))
    for c in range(n_cores):
        engines.append(Channel(("engine", c), 0.0, None))
    for _ in range(n_cores + 1):
        injects.append(Buffer(settings.buffer_depth))
    back = {0: (-1, 0), 1: (1, 0), 2: (0, -1), 3: (0, 1)}

    def inputs(tile):
        """Buffers of a router in the order in which it looks at them: by direction, then its cores, then the host."""
        out = []
        for d in range(4):
            x, y = tile[0] + back[d][0], tile[1] + back[d][1]
            if 0 <= x < target.mesh_width and 0 <= y < target.mesh_height:
                out.append(links[x, y, d].into)
        out += [injects[c] for c in range(n_cores) if tiles[c] == tile]
        return out + ([injects[n_cores]] if tile == tuple(target.port) else [])

    for at, channel in links.items():
        channel.inputs = inputs(at[:2])
    for c in range(n_cores):
        ejects[c].inputs, engines[c].inputs = inputs(tiles[c]), [ejects[c].into]
    order = [links[x, y, d] for y in range(target.mesh_height) for x in range(target.mesh_width) for d in range(4)]
    order += ejects + engines

    synapses = {}
    for i, j in zip(flat.pre.tolist(), flat.post.tolist(), strict=True):
        key = i, int(core_of[j])
        synapses[key] = synapses.get(key, 0) + 1

    class Source:
        def __init__(self, number):
            self.number, self.plan, self.after = number, [], 0.0
            host = number == n_cores
            mine = flat.is_input if host else (core_of == number)
            since = last = 0.0
            for i in np.flatnonzero(mine).tolist():
                if not host:
                    since += target.time_neuron_active_ns if i in active else target.time_neuron_inactive_ns
                if i not in spiking:
                    continue
                since += 0 if host else target.time_spike_out_ns
                cores = sorted(c for n, c in synapses if n == i)
                for group in [cores] if target.multicast and cores else [[c] for c in cores]:
                    since += settings.host_gap_ns if host else target.time_axon_out_ns
                    start = tuple(target.port) if host else tiles[number]
                    ways = {}  # channel -> channels after it, over all destinations
                    firsts = []
                    for c in group:
                        way = [links[at] for at in xy_route(start, tiles[c])] + [ejects[c], engines[c]]
                        for a, b in zip([None, *way[:-1]], way, strict=True):
                            after = firsts if a is None else ways.setdefault(a, [])
                            if b not in after:
                                after.append(b)
                    self.plan.append((since - last, i, firsts, ways))
                    last = since
            self.after, self.total = since - last, since

    sources = [Source(s) for s in range(n_cores + 1)]
    length = max(s.total for s in sources)
    events, results, clock = [], {}, 0.0  # pending (time, number, what)
    numbers = {channel: k for k, channel in enumerate(order)}

    def ask(buffer):
        _, nexts, _, _ = buffer.queue[0][:4]
        buffer.left = len(nexts)
        for channel in nexts:
            channel.waiting.add(id(buffer))
        return list(nexts)

    def start(channel):
        into = channel.into
        if channel.job or not channel.waiting or (into is not None and into.taken >= into.depth):
            return
        n = len(channel.inputs)
        for k in range(1, n + 1):
            at = (channel.turn + k) % n
            if id(channel.inputs[at]) in channel.waiting:
                break
        buffer = channel.inputs[at]
        channel.turn = at
        channel.waiting.discard(id(buffer))
        message, _, header, tail = buffer.queue[0][:4]
        channel.waited += clock - header
        channel.sent += 1
        if into is None:
            gone = max(clock, tail) + target.time_axon_in_ns + (
                synapses[message[0], channel.name[1]] * target.time_synaptic_op_ns
            )  # fmt: skip
            first = gone
        else:
            into.taken += 1
            first = clock + channel.flit_ns
            gone = max(clock + settings.flits * channel.flit_ns, tail + channel.flit_ns)
        channel.job = buffer, message, gone
        events.append((first, numbers[channel], "head"))

    def enter(source):
        _, i, firsts, ways = source.plan.pop(0)
        buffer = injects[source.number]
        buffer.taken += 1
        buffer.queue.append(((i, ways), firsts, clock, clock))
        if source.plan:
            events.append((clock + source.plan[0][0], len(order) + source.number, "make"))
        else:
            nonlocal length
            length = max(length, clock + source.after)
        return ask(buffer) if len(buffer.queue) == 1 else []

    held = set()
    for source in sources:
        if source.plan:
            events.append((source.plan[0][0], len(order) + source.number, "make"))
    while events:
        k = min(range(len(events)), key=lambda k: events[k][:2])
        clock, number, what = events.pop(k)
        todo = []
        if what == "make":
            source = sources[number - len(order)]
            if injects[source.number].taken < injects[source.number].depth:
                todo += enter(source)
            else:
                held.add(source.number)
        else:
            channel = order[number]
            buffer, message, gone = channel.job
            fresh = []
            if what == "head" and channel.into is None:
                results.setdefault((message[0], channel.name[1]), [None, None])[1] = clock
                length = max(length, clock)
            elif what == "head":
                nexts = message[1][channel]
                channel.into.queue.append((message, nexts, clock, gone))
                if len(channel.into.queue) == 1:
                    fresh.append(channel.into)
                if nexts[0].into is None:
                    results.setdefault((message[0], channel.name[1]), [None, None])[0] = gone
            if what == "head" and channel.into is not None and settings.flits > 1:
                events.append((gone, number, "tail"))
            else:
                channel.job = None
                buffer.left -= 1
                if buffer.left == 0:
                    buffer.queue.popleft()
                    buffer.taken -= 1
                    if buffer.queue:
                        fresh.append(buffer)
                    owner = [c for c in order if c.into is buffer]
                    todo += owner
                    if not owner and injects.index(buffer) in held:
                        held.discard(injects.index(buffer))
                        todo.append(channel)
                        todo += enter(sources[injects.index(buffer)])
                todo.append(channel)
            for b in fresh:
                todo += ask(b)
        for channel in todo:
            start(channel)
    flow = {c.name: (c.waited, c.sent) for c in order}
    return results, length, flow
