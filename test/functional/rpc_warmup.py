"""While the node starts, every command is refused with code -28 and what is being done."""

from framework.scenario import main
from framework.util import check, contains, equal


def run(t):
    node = t.node()
    node.start()
    node.mine(200)
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
                equal((status, reply["result"]), (200, 200))
                break
            equal((status, reply["error"]["code"], reply["result"]), (500, -28, None))
            seen.append(reply["error"]["message"])
        node.wait_ready()
        node.stop()
        if "Verifying blocks…" in seen:
            break
    check("Verifying blocks…" in seen, f"the node was never seen verifying blocks, only {sorted(set(seen))}")

    t.step("the log has each, once a start")
    for text in ("Loading block index…", "Verifying blocks…", "Done loading"):
        starts = node.log_text().count("Bitcoin Core version")
        equal(node.log_text().count(f"init message: {text}"), starts, text)

    t.step("a pruning node says that it prunes")
    node.start("-prune=1")
    contains(node.log_text(), "init message: Pruning blockstore…")
    node.stop()


main(run)
