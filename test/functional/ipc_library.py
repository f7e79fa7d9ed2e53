"""libmultiprocess as installed: what packagers expect of it, and the C program of doc/examples on a live node."""

import json
import os
import re
import shlex
import shutil
import socket

from framework.install import Example, Installation, made_by_depends, run as command
from framework.programs import ROOT
from framework.scenario import main
from framework.util import check, contains, equal

EXAMPLE = ROOT / "doc/examples/tip.c"
SONAME = "libmultiprocess.so.0"
SYSTEM = {"libc", "libgcc_s", "libm", "ld-linux-x86-64", "ld-linux-aarch64"}
HEADER = [("cc", "c", "c89"), ("cc", "c", "c17"), ("cc", "c", "c2x"), ("c++", "c++", "c++98"), ("c++", "c++", "c++20")]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def dynamic(file, tag):
    """Values of a tag in a file's dynamic section."""
    return re.findall(rf"\({tag}\).*\[(.*)\]", command("readelf", "--dynamic", "--wide", file))


def needed(library):
    """The libraries that one needs, without their versions."""
    return {need.split(".so")[0] for need in dynamic(library, "NEEDED")}


def exported(library):
    """Names of the functions that a library offers."""
    return sorted(line.split()[-1] for line in command("nm", "--dynamic", "--defined-only", library).splitlines())


def run(t):
    t.skip_unless_split()
    t.step("what is installed, and where")
    there = Installation(t.directory / "installed")
    version = there.pkg_config("--modversion", "libmultiprocess")[0]
    equal(there.pkg_config("--modversion", "bitcoin-ipc"), [version])
    name = f"libmultiprocess.so.0.{'.'.join(version.split('.')[:2])}"
    library = there.lib / name
    equal([os.readlink(there.lib / f"libmultiprocess.so{end}") for end in ("", ".0")], [SONAME, name])
    for part in ("bin/bitcoind", "bin/bitcoin-cli", "bin/bitcoin", "libexec/bitcoin-node", "libexec/bitcoin-wallet"):
        equal((there.prefix / part).stat().st_mode & 0o7777, 0o755, part)
    schemas = [f"share/bitcoin-ipc/{schema}.capnp" for schema in ("init", "client/introduction", "echo", "mining", "mining_v30", "rpc", "common", "mp/proxy")]
    for part in [str(library.relative_to(there.prefix)), "include/multiprocess.h", "share/pkgconfig/bitcoin-ipc.pc", *schemas]:
        equal((there.prefix / part).stat().st_mode & 0o7777, 0o644, part)
    equal([file for file in there.files() if file.endswith(".capnp") and file not in schemas], [], "private schemas")
    equal([file for file in there.files() if "/." in f"/{file}"], [], "files left over")
    text = there.pc.read_text()
    check(str(there.destdir) not in text, "the directory of an installation in stages stays out of it")

    t.step("man pages and completions have the options that the programs have")
    for part in ("bin/bitcoind", "bin/bitcoin-cli", "libexec/bitcoin-node"):
        name = os.path.basename(part)
        options = re.findall(r"^  (-\w+)", command(there.prefix / part, "-help"), re.M)
        check(len(options) > 20, options)
        completions = there.prefix / "share/bash-completion/completions" / name
        command("bash", "-n", completions)
        page = (there.prefix / f"share/man/man1/{name}.1").read_text().replace("\\-", "-")
        for text in (page, completions.read_text()):
            equal([option for option in options if not re.search(rf"{option}\b", text)], [], name)

    t.step("the shared library is what distributions ask for")
    equal(dynamic(library, "SONAME"), [SONAME])
    equal(dynamic(library, "R(?:UN)?PATH"), [], "paths to look for libraries in")
    check(needed(library) <= SYSTEM, needed(library))
    headers = command("readelf", "--program-headers", "--wide", library)
    check(re.search(r"GNU_STACK.* RW ", headers), "the stack is not executable")
    check("TEXTREL" not in command("readelf", "--dynamic", library), "no code is written to when loading")
    header = (there.prefix / "include/multiprocess.h").read_text()
    equal(exported(library), sorted(re.findall(r"^\S.*?\b(mp_\w+)\(", header, re.M)), "what it exports")

    t.step("the header suits any compiler, and the example is built with nothing but pkg-config")
    flags = there.pkg_config("--cflags", "--libs", "libmultiprocess")
    program = t.directory / "tip"
    command("cc", *STRICT, EXAMPLE, "-o", program, *flags)
    equal([need for need in dynamic(program, "NEEDED") if "multiprocess" in need], [SONAME])
    for compiler, language, standard in HEADER:
        source = t.directory / f"header.{language}"
        source.write_text("#include <multiprocess.h>\nmp_code check(void) { return mp_version() ? MP_OK : MP_FAILED; }\n")
        strict = [f"-std={standard}", "-Wall", "-Wextra", "-pedantic-errors", "-Werror"]
        command(compiler, *strict, "-c", source, "-o", t.directory / "header.o", *flags[:1])
        # Not what a C++ compiler would make of the name.
        check(re.search(r" mp_version$", command("nm", t.directory / "header.o"), re.M), standard)

    t.step("and statically: all of it, or the library alone")
    forms = [(program, there.environment)]
    words = there.pkg_config("--static", "--cflags", "--libs", "libmultiprocess")
    archive = ["-l:libmultiprocess.a" if word == "-lmultiprocess" else word for word in words]
    for name, how in (("static", ["-static", *words]), ("static-pie", ["-static-pie", "-fPIE", *words]),
                      ("archive", ["-no-pie", *archive]), ("archive-pie", ["-pie", "-fPIE", *archive])):
        form = t.directory / f"tip-{name}"
        command("cc", *STRICT[:-1], EXAMPLE, "-o", form, *how)
        libraries = needed(form)
        equal((libraries & {"libmultiprocess"}, bool(libraries)), (set(), name.startswith("archive")), name)
        forms.append((form, there.environment))

    t.step("the same without what only debuggers need")
    stripped = Installation(t.directory / "stripped", "install-strip")
    equal(stripped.files(), there.files())
    for part in (str(library.relative_to(there.prefix)), "bin/bitcoin-cli", "libexec/bitcoin-node"):
        check(".debug_info" not in command("readelf", "--sections", "--wide", stripped.prefix / part), part)
    equal(exported(stripped.prefix / library.relative_to(there.prefix)), exported(library))
    form = t.directory / "tip-stripped"
    command("cc", "-static", EXAMPLE, "-o", form, *stripped.pkg_config("--static", "--cflags", "--libs", "libmultiprocess"))
    forms.append((form, stripped.environment))
    prefix = made_by_depends()
    if prefix:
        t.step("depends has built the same library into its prefix")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"), "LD_LIBRARY_PATH": str(prefix / "lib")}
        equal([os.readlink(prefix / f"lib/libmultiprocess.so{end}") for end in ("", ".0")], [SONAME, library.name])
        equal(dynamic(prefix / "lib" / SONAME, "SONAME"), [SONAME])
        check(needed(prefix / "lib" / SONAME) <= SYSTEM, needed(prefix / "lib" / SONAME))
        equal(exported(prefix / "lib" / SONAME), exported(library))
        described = [file.read_text().split("\n", 1)[1] for file in (there.pc, prefix / "lib/pkgconfig/libmultiprocess.pc")]
        equal(described[1], described[0].replace('"', ""), "the .pc files but for their first lines and quotes")
        form = t.directory / "tip-depends"
        words = shlex.split(command("pkg-config", "--cflags", "--libs", "libmultiprocess", env=environment))
        command("cc", *STRICT, EXAMPLE, "-o", form, *words)
        forms.append((form, environment))

    node = t.node()
    node.start("-ipcbind=unix", "-ipcbind=unix:mining.sock,allow=mining")
    address = f"unix:{node.chaindir}/node.sock"
    for form, environment in forms:
        t.step(f"{form.name} prints the tip, asks, and sees the next block")
        node.mine(1)
        example = Example(form, address, env=environment)
        tip, rpc = example.lines(2)
        equal(tip, f"tip {node.rpc.getblockcount()} {node.rpc.getbestblockhash()}")
        answer = json.loads(rpc.removeprefix("rpc "))
        check(answer["error"] is None and answer["result"] >= 0, answer)
        new = node.mine(1)[0]
        equal(example.end(), (0, f"new {node.rpc.getblockcount()} {new}\n", ""))

    t.step("a connection that the parent process has made, once")
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(address.removeprefix("unix:"))
        example = Example(program, f"fd:{stream.fileno()}", env=there.environment, pass_fds=[stream.fileno()])
    equal(example.lines(2)[0], f"tip {node.rpc.getblockcount()} {node.rpc.getbestblockhash()}")
    new = node.mine(1)[0]
    equal(example.end(), (0, f"new {node.rpc.getblockcount()} {new}\n", ""))

    t.step("errors are said, and a node that dies kills nobody")
    equal(Example(program, env=there.environment).end()[0], 2)
    for wrong, message in (
        ("unix:/nobody/is/here", "connect: No such file or directory"),
        ("nonsense", "connect: Unrecognized address 'nonsense'"),
        ("fd:1000", "connect: fd:1000 is not a connected socket inherited from a parent process"),
    ):
        equal(Example(program, wrong, env=there.environment).end(), (1, "", f"{message}\n"))
    code, out, err = Example(program, f"unix:{node.chaindir}/mining.sock", env=there.environment).end()
    equal((code, out.split()[:1]), (1, ["tip"]))
    contains(err, "rpc: other process does not support Init.makeRpc")
    example = Example(program, address, env=there.environment)
    example.lines(2)
    node.kill()
    equal(example.end(), (0, "", ""))
    equal(Example(program, address, env=there.environment).end(), (1, "", "connect: Connection refused\n"))

    t.step("what was installed can be removed")
    stranger = there.prefix / "share/bitcoin-ipc/stranger.capnp"
    shutil.copy(there.prefix / schemas[0], stranger)
    there.make("uninstall")
    equal(there.files(), {"share/bitcoin-ipc/stranger.capnp"})


main(run)
