/*
 * libmultiprocess: a Bitcoin node's socket (bitcoin-node -ipcbind) for programs in C.
 *
 * Link with $(pkg-config --cflags --libs libmultiprocess). There is an example in doc/examples/tip.c.
 *
 * Threads: every function may be called from any thread, and with one client from several at the same time.
 * Calls of different threads do not wait for each other.
 *
 * Time: calls that reach the node have a time limit in milliseconds, MP_FOREVER for none. A call over its limit returns
 * MP_TIMED_OUT, and what it asked for may still happen.
 *
 * Errors: functions return MP_OK or what went wrong. The message is written to `error`, which may be NULL and never needs
 * to be freed.
 *
 * Ownership: a client is released with mp_close, a text with mp_free. Arguments are borrowed for the call only. When a
 * function fails, the pointer it would have written is NULL, and a tip is left as it was.
 *
 * A text is UTF-8 and ends with a zero. A process that has forked uses the clients of its parent in the parent only.
 */

#ifndef MULTIPROCESS_H
#define MULTIPROCESS_H

/* Generated from src/capi/src/api.rs; a test compares it with that. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 Size of the message of an `mp_error`, its final zero included. Longer messages are cut.
 */
#define MP_MESSAGE_SIZE 512

/*
 Size of a block hash as text, its final zero included.
 */
#define MP_HASH_SIZE 65

/*
 No time limit.
 */
#define MP_FOREVER UINT32_MAX

/*
 Longest text that can be passed in, in bytes: that of a request over HTTP.
 */
#define MP_MAX_TEXT (32 << 20)

/*
 A connection to a node. Opened by mp_connect, closed by mp_close.
 */
typedef struct mp_client mp_client;

/*
 How a call went: one of the codes below. Later versions may have more.
 */
typedef int32_t mp_code;

/*
 What went wrong with a call. The caller owns it; there is nothing to free.
 */
typedef struct {
  /*
   What the call returned.
   */
  mp_code code;
  /*
   What happened, in one line; empty if it went well.
   */
  char message[MP_MESSAGE_SIZE];
} mp_error;

/*
 The last block of the chain.
 */
typedef struct {
  /*
   Its height.
   */
  int32_t height;
  /*
   Its hash, as the RPC commands write it.
   */
  char hash[MP_HASH_SIZE];
} mp_tip;

/*
 It went well.
 */
#define MP_OK 0

/*
 An argument makes no sense: a NULL where none may be, a text that is too long or not UTF-8, a client that was closed,
 an address that is none.
 */
#define MP_INVALID 1

/*
 Nobody listens at the address, or this user may not connect to it.
 */
#define MP_CONNECT 2

/*
 The connection is gone, or the node is shutting down.
 */
#define MP_DISCONNECTED 3

/*
 The socket does not offer what was asked for.
 */
#define MP_UNSUPPORTED 4

/*
 The time limit is over.
 */
#define MP_TIMED_OUT 5

/*
 The node could not do it; the message says why.
 */
#define MP_FAILED 6

/*
 A mistake in this library. The message is for its authors.
 */
#define MP_INTERNAL 7

/*
 This client asked for more at a time than the node gives to one; less, or later, may do.
 */
#define MP_OVERLOADED 8

/*
 Returns the version of the library, such as "31.99.0". It is not freed.
 */
const char *mp_version(void);

/*
 Connects to a node that listens at `address`: "unix:" and the path of its socket, relative to the current directory
 unless it begins with a slash; or "fd:" and the number of a connected socket that the parent process left open, which
 is the client's from then on. Writes the connection to `client`.
 */
mp_code mp_connect(const char *address,
                   uint32_t timeout_ms,
                   mp_client **client,
                   mp_error *error);

/*
 Ends the connection and releases the client; NULL, or a client that was closed, is left alone. Calls that other threads
 are in return MP_DISCONNECTED.
 */
void mp_close(mp_client *client);

/*
 Ends the connection and keeps the client: calls that are in progress, and all later ones, return MP_DISCONNECTED.
 For the end of a program of several threads; mp_close is still due.
 */
mp_code mp_disconnect(mp_client *client,
                      mp_error *error);

/*
 Sends a text to the node and writes what comes back, the same, to `reply`, which is released with mp_free. Shows that
 the node is there.
 */
mp_code mp_echo(mp_client *client,
                const char *text,
                uint32_t timeout_ms,
                char **reply,
                mp_error *error);

/*
 Writes the last block of the node's chain to `tip`. A node that has just been started loads its chain first.
 */
mp_code mp_get_tip(mp_client *client, uint32_t timeout_ms, mp_tip *tip, mp_error *error);

/*
 Waits until the last block is another than `known`, one that this library wrote, and writes it to `tip`; the two may
 be the same. If it stays the same until the time limit, returns MP_TIMED_OUT. Without `known` (NULL) it does not wait.
 */
mp_code mp_wait_tip(mp_client *client,
                    const mp_tip *known,
                    uint32_t timeout_ms,
                    mp_tip *tip,
                    mp_error *error);

/*
 Runs RPC commands: `request` is a JSON-RPC request, or a batch, as it would be posted to the node over HTTP, and the
 JSON of the answer is written to `reply`, which is released with mp_free. What a command refuses is in there.
 `uri` is NULL, or the path it would be posted to, such as "/wallet/name". There is no password.
 */
mp_code mp_rpc(mp_client *client,
               const char *request,
               const char *uri,
               uint32_t timeout_ms,
               char **reply,
               mp_error *error);

/*
 Releases a text that this library handed out; NULL is left alone.
 */
void mp_free(char *text);

#endif  /* MULTIPROCESS_H */

#ifdef __cplusplus
}
#endif
