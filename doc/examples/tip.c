/* Prints the tip of a node and what an RPC command says, then waits for a block.
 *
 *   bitcoin-node -regtest -ipcbind=unix
 *   cc tip.c -o tip $(pkg-config --cflags --libs libmultiprocess)
 *   ./tip unix:$HOME/.bitcoin/regtest/node.sock
 */
#include <multiprocess.h>
#include <stdio.h>

#define LIMIT 10000 /* milliseconds */

static int failed(const char *what, const mp_error *error) {
    fprintf(stderr, "%s: %s\n", what, error->message);
    return 1;
}

int main(int argc, char **argv) {
    mp_client *node;
    mp_error error;
    mp_tip tip;
    char *reply;
    int result = 0;

    if (argc != 2) return fprintf(stderr, "usage: %s unix:PATH\n", argv[0]), 2;
    if (mp_connect(argv[1], LIMIT, &node, &error) != MP_OK) return failed("connect", &error);

    if (mp_get_tip(node, LIMIT, &tip, &error) == MP_OK)
        printf("tip %d %s\n", tip.height, tip.hash);
    else
        result = failed("tip", &error);

    if (mp_rpc(node, "{\"method\": \"uptime\", \"params\": []}", NULL, LIMIT, &reply, &error) == MP_OK) {
        printf("rpc %s\n", reply);
        mp_free(reply);
    } else
        result = failed("rpc", &error);

    fflush(stdout);
    if (result == 0 && mp_wait_tip(node, &tip, LIMIT, &tip, &error) == MP_OK)
        printf("new %d %s\n", tip.height, tip.hash);
    mp_close(node);
    return result;
}
