"""While the node starts, every command is refused with code -28 and what is being done."""

from framework.scenario import main
from framework.util import check, equal


def run(t):
    node = t.node()
    node.start()
    node.mine(30)
    node.stop()

    t.step("ask without a pause from the moment the port opens")
    seen = []
    for _ in range(10):
        node.spawn("-checkblocks=0", "-checklevel=4")
        while True:
            check(node.process.poll() is None, "the node ended by itself")
            try:
                status, reply = node.new_rpc().request({"id": 1, "method": "getblockcount", "params": []})
            except OSError:
                continue
            if status == 401:
                continue  # the cookie of the run before
            if reply["error"] is None:
                equal((status, reply["result"]), (200, 30))
                break
            equal((status, reply["error"]["code"], reply["result"]), (500, -28, None))
            check(reply["error"]["message"], "the message is empty")
            seen.append(reply["error"]["message"])
        node.wait_ready()
        node.stop()
        if seen:
            break
    check(seen, "the node was never seen warming up")
    t.step(f"seen: {sorted(set(seen))}")


main(run)
