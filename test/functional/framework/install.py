"""An installation in a directory of the test's own, and what a packager looks at in it."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

from .programs import ROOT
from .util import Failure, check


def run(*command, **options):
    """Runs a command that must succeed and returns its standard output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    check(done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def interpreter(t):
    """A Python that has pycapnp: this one, or the one that `cargo xtask test` makes. Skips the test if there is none."""
    for python in (sys.executable, ROOT / "build/python/bin/python"):
        try:
            done = subprocess.run([python, "-c", "import capnp; capnp.AsyncIoStream"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    check(not os.environ.get("CI"), "pycapnp is not there, and cargo xtask test should have installed it")
    return t.skip("there is no pycapnp (2.0 or later); cargo xtask test installs it, or pip install pycapnp does")


class Installation:
    """What `make install`, or another target that installs, leaves below a directory (`DESTDIR`)."""

    def __init__(self, directory, target="install"):
        self.destdir = pathlib.Path(directory)
        self.make(target)
        self.pc = next(self.destdir.rglob("libmultiprocess.pc"))
        prefix = re.search(r"^prefix=/(.*)$", self.pc.read_text(), re.M)[1]
        self.prefix = self.destdir / prefix
        self.lib = self.pc.parent.parent
        # As for cross builds: what pkg-config says is meant below the directory.
        self.environment = {**os.environ, "PKG_CONFIG_LIBDIR": f"{self.pc.parent}:{self.prefix}/share/pkgconfig",
                            "PKG_CONFIG_PATH": "", "PKG_CONFIG_SYSROOT_DIR": str(self.destdir),
                            "LD_LIBRARY_PATH": str(self.lib)}

    def make(self, target):
        """Runs a target of the front door with this directory."""
        return run("make", "--no-print-directory", "-C", ROOT, target, f"DESTDIR={self.destdir}")

    def pkg_config(self, *words):
        """What pkg-config says, as words."""
        return shlex.split(run("pkg-config", *words, env=self.environment))

    @property
    def schemadir(self):
        """Where the schemas are."""
        # What is said of variables, unlike flags, is without the directory.
        environment = {**self.environment, "PKG_CONFIG_SYSROOT_DIR": ""}
        said = run("pkg-config", "--variable=schemadir", "bitcoin-ipc", env=environment).strip()
        return self.destdir / said.lstrip("/")

    def files(self):
        """All that is there, relative to the prefix."""
        return {str(file.relative_to(self.prefix)) for file in self.prefix.rglob("*") if not file.is_dir()}


def made_by_depends():
    """The prefix with this clone's library that depends made and the build was configured with, or None."""
    configured = tomllib.loads((ROOT / "build/config.toml").read_text()).get("depends")
    if not configured:
        return None
    prefix = pathlib.Path(configured)
    made = tomllib.loads((prefix / "share/depends/manifest.toml").read_text())["packages"].get("libmultiprocess", "")
    # One that was made before the last change has another.
    said = run("make", "-s", "-C", ROOT / "depends", "print-libmultiprocess_id", "MULTIPROCESS=1").split()
    return prefix if made.endswith(f"-{said[-1]}") else None


class Example:
    """A program of doc/examples that talks to a node."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def lines(self, count):
        """The next lines that it prints."""
        lines = [self.process.stdout.readline().rstrip("\n") for _ in range(count)]
        if not lines[-1]:
            raise Failure(f"only {lines}: {self.process.communicate()[1]}")
        return lines

    def end(self):
        """Waits for its end: exit code, the rest of what it printed, and what went wrong."""
        out, err = self.process.communicate()
        return self.process.returncode, out, err
