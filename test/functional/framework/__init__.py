"""The functional suite's framework: programs under test, nodes, RPC, waiting and assertions.

Only the standard library is used. A scenario needs `framework.scenario.main` and what it hands to `run`.
"""
