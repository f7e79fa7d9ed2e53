"""Options: the command line, bitcoin.conf with its sections, what wins, and what is refused."""

import re

from framework.scenario import main
from framework.util import contains, equal, excludes


def megabytes(node):
    """The effective -maxmempool."""
    return node.rpc.getmempoolinfo()["maxmempool"] // 1_000_000


def run(t):
    node = t.node()

    t.step("unknown options and stray words on the command line")
    arguments = "Error: Error parsing command line arguments: "
    node.refuses_to_start(f"{arguments}Invalid parameter -nosuchoption", "-nosuchoption")
    node.refuses_to_start(f"{arguments}Invalid parameter -bogus=1", "-bogus=1")
    node.refuses_to_start(re.compile(r"^Error: Command line contains unexpected token 'stray', see \S+ -h for a list "
                                     r"of options\.\n$"), "stray")
    node.refuses_to_start(f"{arguments}Negating of -datadir is meaningless and therefore forbidden", "-nodatadir")
    node.refuses_to_start(f"{arguments}Can not set -proxy with no value. Please specify value with -proxy=value.",
                          "-proxy")
    node.refuses_to_start(f'{arguments}-includeconf cannot be used from commandline; -includeconf="x.conf"',
                          "-includeconf=x.conf")

    t.step("chain selection")
    node.refuses_to_start(re.compile(r"^Error: Invalid combination of -regtest, -signet, -testnet, -testnet4 and "
                                     r"-chain\. Can use at most one\.\n$"), "-regtest", "-testnet")
    node.refuses_to_start("Error: Unknown chain moon.", "-chain=moon")

    t.step("a data directory or configuration file that does not exist")
    missing = node.directory / "missing"
    node.refuses_to_start(f'Error: Specified data directory "{missing}" does not exist.', f"-datadir={missing}")
    file = "Error: Error reading configuration file: "
    node.refuses_to_start(f'{file}specified config file "{missing}" could not be opened.', f"-conf={missing}")
    node.refuses_to_start(f'{file}Config file "{node.datadir}" is a directory.', f"-conf={node.datadir}")

    t.step("bad lines in bitcoin.conf")
    good = node.conf.read_text()
    for line, message in (
        ("garbage", "parse error on line 1: garbage"),
        ("nono", "parse error on line 1: nono, if you intended to specify a negated option, use nono=1 instead"),
        ("-dash=1", "parse error on line 1: -dash=1, options in configuration file must be specified without "
                    "leading -"),
        ("rpcpassword=a#b", "parse error on line 1, using # in rpcpassword can be ambiguous and should be avoided"),
        ("conf=other.conf", "conf cannot be set in the configuration file; use includeconf= if you want to include "
                            "additional config files"),
    ):
        node.conf.write_text(f"{line}\n{good}")
        node.refuses_to_start(file + message)

    t.step("an option that must stand in a section")
    node.conf.write_text("chain=regtest\nwallet=foo\n")
    node.refuses_to_start("Error: Config setting for -wallet only applied on regtest network when in [regtest] "
                          "section.")

    t.step("a section that is not one, and an unknown key, are only warned about")
    node.write_conf("nosuchkey=1\n[moon]\nrpcport=1")
    node.start()
    contains(node.log_text(), "Ignoring unknown configuration value nosuchkey")
    line = node.conf.read_text().splitlines().index("[moon]") + 1
    node.stop(stderr=f"Warning: {node.conf}:{line} Section [moon] is not recognized.\n")

    t.step("default, file, section, command line: each wins over the one before")
    node.write_conf()
    node.start()
    equal(megabytes(node), 300, "default")
    node.write_conf("maxmempool=50\nmaxmempool=60")
    node.restart()
    equal(megabytes(node), 50, "first of two lines in the file")
    node.write_conf("maxmempool=50", "maxmempool=70")
    node.restart()
    equal(megabytes(node), 70, "section over file")
    node.restart("-maxmempool=80", "-maxmempool=90")
    equal(megabytes(node), 90, "last on the command line over file")

    t.step("includeconf, relative to the data directory, one level deep")
    (node.datadir / "more.conf").write_text("maxmempool=40\nincludeconf=never.conf\n[regtest]\nuacomment=included\n")
    (node.datadir / "never.conf").write_text("uacomment=never\n")
    node.write_conf("includeconf=more.conf")
    node.restart()
    equal(megabytes(node), 40)
    contains(node.rpc.getnetworkinfo()["subversion"], "(included)")
    node.stop(stderr=re.compile("^warning: -includeconf cannot be used from included files; "
                                "ignoring -includeconf=never.conf\n$"))
    node.write_conf("includeconf=nothere.conf")
    node.refuses_to_start(f"{file}Failed to include configuration file nothere.conf")

    t.step("negation, double dashes and 0/1")
    node.write_conf("debug=net\nuacomment=file")
    node.start()
    logging = node.rpc.logging()
    equal((logging["net"], logging["mempool"]), (True, False))
    node.restart("-nodebug", "-nouacomment")
    equal((node.rpc.logging()["net"], node.rpc.logging()["mempool"]), (False, False))
    # A value after the negation brings those of the file back too, as in Core.
    node.restart("-nodebug", "--debug=mempool", "-uacomment=c", "-nouacomment")
    equal((node.rpc.logging()["net"], node.rpc.logging()["mempool"]), (True, True))
    equal(node.rpc.getnetworkinfo()["subversion"], "/Satoshi:31.99.0/")
    node.stop()
    node.write_conf("nodebug=1\nuacomment=a\nuacomment=b")
    node.start("-debug=0")
    equal(node.rpc.getnetworkinfo()["subversion"], "/Satoshi:31.99.0(a; b)/")
    node.stop()

    t.step("wrong values")
    node.write_conf()
    node.refuses_to_start("Error: User Agent comment (a/b) contains unsafe characters.", "-uacomment=a/b")
    weight = "exceeds consensus maximum block weight (4000000)"
    for option, message in (
        ("limitclustercount=-1", "limitclustercount must be less than or equal to 64"),
        ("limitclustercount=65", "limitclustercount must be less than or equal to 64"),
        ("maxconnections=99999999999999999999", "-maxconnections must be greater or equal than zero"),
        ("blockmaxweight=-1", "-blockreservedweight (8000) exceeds -blockmaxweight (0)"),
        ("blockmaxweight=99999999999999999999", f"-blockmaxweight (18446744073709551615) {weight}"),
        ("blockreservedweight=-1", "-blockreservedweight (0) is lower than minimum safety value of (2000)"),
        ("blockreservedweight=99999999999999999999", f"-blockreservedweight (18446744073709551615) {weight}"),
        ("blockmintxfee=x", "Invalid amount for -blockmintxfee=<amount>: 'x'"),
        ("pid=no/such/directory", f"Unable to create the PID file '{node.chaindir}/no/such/directory': "
                                  "No such file or directory (2)"),
    ):
        node.refuses_to_start(f"Error: {message}", f"-{option}")

    t.step("wrong networks, proxies and addresses")
    for option, message in (
        ("externalip=x", "Cannot resolve -externalip address: 'x'"),
        ("onlynet=x", "Unknown network specified in -onlynet: 'x'"),
        ("onlynet=i2p", "Outbound connections restricted to i2p (-onlynet=i2p) but -i2psam is not provided"),
        ("onlynet=cjdns", "Outbound connections restricted to CJDNS (-onlynet=cjdns) but -cjdnsreachable is not "
                          "provided"),
        ("proxy=x", "Invalid -proxy address or hostname: 'x'"),
        ("proxy=1.2.3.4:5=foo", "Unrecognized network in -proxy='1.2.3.4:5=foo': 'foo'"),
        ("onion=x", "Invalid -onion address or hostname: 'x'"),
        ("i2psam=x", "Invalid -i2psam address or hostname: 'x'"),
        ("asmap=map", f'Could not find asmap file "{node.chaindir}/map"'),
    ):
        node.refuses_to_start(f"Error: {message}", "-dns=0", f"-{option}")
    elsewhere = "192.0.2.1:1024"
    node.refuses_to_start(f"Error: Unable to bind to {elsewhere} on this computer (bind returned error Cannot assign "
                          "requested address (99))\nError: Failed to listen on any port. Use -listen=0 if you want "
                          "this.", "-listen=1", f"-bind={elsewhere}", "-bind=192.0.2.2:1024")

    t.step("an option that tunes what is not there is accepted, and the log says so")
    node.start("-natpmp=0", "-bantime=5", "-zmqpubrawtxhwm=7", "-nofixedseeds", "-discover", "-v2transport=1")
    for option in ("bantime", "zmqpubrawtxhwm", "discover", "v2transport"):
        contains(node.log_text(), f"-{option} is accepted but has no effect in this version: ")
    for option in ("natpmp", "fixedseeds", "dnsseed", "listenonion", "torcontrol"):
        excludes(node.log_text(), f"-{option} is accepted")
    node.stop()

    t.step("a database cache that leaves the system little")
    node.start("-dbcache=100000000", "-prune=1")
    node.stop(stderr=re.compile(r"^Warning: A 100000000 MiB dbcache may be too large for a system memory of only \d+ "
                                r"MiB\.\n$"))


main(run)
