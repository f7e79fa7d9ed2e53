"""Small disks that can be full or read-only, mounted in a mount namespace of the scenario's own."""

import os
import subprocess
import sys

NAMESPACE = "FUNCTIONAL_MOUNTS"


def enter_namespace():
    """Starts the scenario once more where mounts are its own, or returns with none."""
    if NAMESPACE in os.environ:
        return
    root = os.geteuid() == 0
    command = ["unshare", "-m"] if root else ["unshare", "-rm"]
    try:
        works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        works = False
    if works:
        os.environ[NAMESPACE] = "root" if root else "user"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])


def disk(path, size):
    """A disk of so many MB at a directory."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", path], check=True)


def remount(path, options):
    """Changes how a disk is mounted."""
    subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)


def needed(t):
    """Skips the scenario where the system gives no mount namespace."""
    if NAMESPACE not in os.environ:
        t.skip("the system gives no mount namespace")


def fill(path, left):
    """Takes up a disk but for so many bytes. Returns the file that does."""
    filler = path / "filler"
    stat = os.statvfs(path)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - left)
    return filler
