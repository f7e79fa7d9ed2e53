#!/bin/sh
# Makes core-31-regtest.tar.xz anew with Bitcoin Core's programs: make.sh <directory of bitcoind and bitcoin-cli>
# What it holds is in core-31-regtest.txt: node_core_datadir.py compares.
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
cli() { "$bin/bitcoin-cli" -regtest -datadir="$dir" "$@"; }
foreign=bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080
"$bin/bitcoind" -regtest -datadir="$dir" -daemonwait -listen=0 -fallbackfee=0.0002 -keypool=2 >&2
cli -named createwallet wallet_name=plain load_on_startup=true >&2
cli -named createwallet wallet_name=locked passphrase=sesame >&2
own=$(cli -rpcwallet=plain getnewaddress first)
locked=$(cli -rpcwallet=locked getnewaddress "" bech32m)
{
    cli generatetoaddress 5 "$own"
    cli generatetoaddress 105 $foreign
    cli -rpcwallet=plain sendtoaddress "$locked" 30
    cli generatetoaddress 2 $foreign
    cli invalidateblock "$(cli getbestblockhash)"
    cli generatetodescriptor 1 "raw(51)"
    cli -rpcwallet=plain sendtoaddress "$locked" 7
} >&2
{
    cli getbestblockhash
    cli getrawmempool | tr -d '[]" \n' && echo
    cli gettxoutsetinfo muhash | sed -n 's/.*"muhash": "\(.*\)".*/\1/p'
    cli -rpcwallet=plain getbalance
    cli -rpcwallet=locked getbalance
    cli -rpcwallet=locked getbalances | sed -n 's/.*"untrusted_pending": \(.*\),.*/\1/p'
    cli -rpcwallet=plain listdescriptors true | sed -n 's/.*"desc": "\(wpkh.*0\/\*.*\)",.*/\1/p'
} > "$here/core-31-regtest.txt"
cli stop >&2
while [ -e "$dir/regtest/bitcoind.pid" ]; do sleep 0.1; done
cd "$dir"
tar --sort=name --owner=0 --group=0 --numeric-owner --exclude=debug.log --exclude=fee_estimates.dat --exclude=.lock \
    -cJf "$here/core-31-regtest.tar.xz" regtest
