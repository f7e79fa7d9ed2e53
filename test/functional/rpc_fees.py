"""estimatesmartfee: the arguments, errors and answer of a Core that has seen no transactions confirm."""

from framework.rpc import fails
from framework.scenario import main
from framework.util import contains, equal

NO_ESTIMATE = {"errors": ["Insufficient data or no feerate found"], "blocks": 0}


def run(t):
    node = t.node()
    node.start()
    estimate = node.rpc.estimatesmartfee

    t.step("any target and mode of Core's has an answer, and it is that there are no data")
    for target in (1, 2, 6, 144, 1008):
        equal(estimate(target), NO_ESTIMATE, f"target {target}")
    for mode in ("unset", "economical", "conservative", "ECONOMICAL", "Conservative", None):
        equal(estimate(6, mode), NO_ESTIMATE, f"mode {mode}")
    equal(estimate(conf_target=6, estimate_mode="unset"), NO_ESTIMATE)
    node.mine(3)
    equal(estimate(6), NO_ESTIMATE, "blocks without payments change nothing")

    t.step("wrong arguments")
    for target in (0, -1, 1009):
        fails(-8, "Invalid conf_target, must be between 1 and 1008", estimate, target)
    for target in (1.5, 3_000_000_000):
        fails(-1, "JSON integer out of range", estimate, target)
    for mode in ("", "x", "economical "):
        fails(-8, 'Invalid estimate_mode parameter, must be one of: "unset", "economical", "conservative"',
              estimate, 6, mode)
    for arguments, position, found, wanted in ((("6",), "1 (conf_target)", "string", "number"),
                                               ((6, 1), "2 (estimate_mode)", "number", "string")):
        fails(-3, f'Wrong type passed:\n{{\n    "Position {position}": "JSON value of type {found} is not of expected '
                  f'type {wanted}"\n}}', estimate, *arguments)
    fails(-1, node.rpc.help("estimatesmartfee"), estimate)

    t.step("help")
    text = node.rpc.help("estimatesmartfee")
    for part in ('estimatesmartfee conf_target ( "estimate_mode" )', '"feerate"', '"errors"', '"blocks"'):
        contains(text, part)
    contains(node.rpc.help(), "\nestimatesmartfee conf_target ( \"estimate_mode\" )\n")
    node.stop()


main(run)
