"""Processes as the system sees them, from /proc."""

import os
import pathlib


def alive(pid):
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def name(pid):
    """The base name of the program, or an empty string for a process that is gone."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def arguments(pid):
    """The command line."""
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def children(pid):
    """The direct children that are alive, oldest first."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid and alive(int(entry.name)):
                found.append(int(entry.name))
    return sorted(found)


def tree(pid):
    """All descendants that are alive."""
    below = children(pid)
    return below + [descendant for child in below for descendant in tree(child)]


def group(number):
    """All processes of a group that are alive."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                member = os.getpgid(int(entry.name)) == number
            except ProcessLookupError:
                continue
            if member and alive(int(entry.name)):
                found.append(int(entry.name))
    return sorted(found)
