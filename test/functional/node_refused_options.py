"""Options that promise privacy, safety or data that is not there stop the start; their negations do not."""

import json
import re
import subprocess

from framework.scenario import main
from framework.util import equal

# Options whose plain form is a wrong value for Core, with one that is right.
VALUES = {
    "externalip": "1.2.3.4",
    "i2psam": "127.0.0.1:7656",
    "onion": "127.0.0.1:9050",
    "onlynet": "ipv4",
    "proxy": "127.0.0.1:9050",
    "signer": "false",
    "torcontrol": "127.0.0.1:9051",
    "torpassword": "x",
    "walletnotify": "false",
}
# What Core wants beside them.
COMPANIONS = {"listenonion": ["-listen=1", "-bind=127.0.0.1"], "peerblockfilters": ["-blockfilterindex"]}
PROMISES = """asmap blockfilterindex capturemessages cjdnsreachable coinstatsindex externalip i2psam listenonion onion
    onlynet peerblockfilters peerbloomfilters privatebroadcast proxy rest signer torcontrol torpassword txindex
    txospenderindex walletnotify zmqpubhashblock zmqpubhashtx zmqpubrawblock zmqpubrawtx zmqpubsequence""".split()


def refusal(*options):
    """The one line for these options: each with what would happen without it, and what to do."""
    listed = ", ".join(rf"-{option} \([^()\n]+\)" for option in options)
    return re.compile(rf"^Error: Not available in this version: {listed}\. Remove each such option, or turn it off "
                      rf"\(e\.g\. -no{options[0]}\), to start without it\.\n$")


def run(t):
    node = t.node()

    t.step("the help names the same options")
    text = subprocess.run([*node.programs.node, "-help-debug"], check=True, capture_output=True, text=True).stdout
    entries = re.findall(r"^  -([a-z0-9-]+)[^\n]*\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    equal(sorted(name for name, help in entries if "(not available in this version)" in " ".join(help.split())),
          PROMISES)

    t.step("each stops the start")
    for option in PROMISES:
        value = f"-{option}" + (f"={VALUES[option]}" if option in VALUES else "")
        also = COMPANIONS.get(option, [])
        named = ["blockfilterindex", option] if option == "peerblockfilters" else [option]
        node.refuses_to_start(refusal(*named), value, *also)

    t.step("several are named together, also those of bitcoin.conf and settings.json")
    node.write_conf("rest=1")
    settings = node.chaindir / "settings.json"
    before = settings.read_text()
    settings.write_text(json.dumps({"txindex": True}))
    node.refuses_to_start(refusal("txindex", "proxy", "rest"), "-proxy=127.0.0.1:9050")
    settings.write_text(before)

    t.step("turned off in any way, none does")
    node.start("-rest=0", *(f"-no{option}" for option in PROMISES if option != "rest"))
    node.stop()
    node.write_conf()
    node.start("-proxy=0", "-onion=0", "-i2psam=", "-signer=", "-walletnotify=", "-txindex=0", "-blockfilterindex=0",
               "-peerblockfilters=0", "-listenonion=0", "-privatebroadcast=0", "-zmqpubrawtx=0")
    node.stop()


main(run)
