"""The way of an order through a venue, under load: a venue, a generator, what both measured.

Each is a process of its own. The generator signs everything before it begins, sends each order at
its time whatever the venue does, and counts latency from that time.
"""
