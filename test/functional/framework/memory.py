"""Looking for secrets in the memory of processes."""

import re

from . import process


def copies(pid, secrets):
    """How often each secret (bytes) occurs in the writable memory of a process, by name."""
    found = dict.fromkeys(secrets, 0)
    longest = max(map(len, secrets.values()))
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, access = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
            if access[:2] != "rw":
                continue
            position, end = int(start, 16), int(end, 16)
            tail = b""
            while position < end:
                try:
                    memory.seek(position)
                    block = memory.read(min(end - position, 1 << 24))
                except (OSError, ValueError):
                    break  # unmapped meanwhile, or memory of a device
                if not block:
                    break
                window = tail + block
                for name, secret in secrets.items():
                    found[name] += window.count(secret)
                # Long enough for a secret across two blocks, too short for one counted twice.
                tail = window[-(longest - 1):] if longest > 1 else b""
                for name, secret in secrets.items():
                    found[name] -= tail.count(secret)
                position += len(block)
            for name, secret in secrets.items():
                found[name] += tail.count(secret)
    return found


def all_copies(pid, secrets):
    """The same for a process and all below it, as `{(program, secret): count}`; without what is not there."""
    found = {}
    for each in [pid, *process.tree(pid)]:
        for name, count in copies(each, secrets).items():
            if count:
                found[process.name(each), name] = count
    return found
