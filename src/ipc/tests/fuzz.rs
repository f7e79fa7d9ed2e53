//! A bounded run of the target for fuzzing, on the seeds in `fuzz/corpus/ipc` and what comes of them.

use multiprocess::Side;

use crate::script;

#[test]
fn whatever_is_said_everything_ends() {
    let init = script::offer();
    let seeds = testing::fuzz::drive("ipc", 2000, |input| script::run(&init, input));
    // Other tests of this process call, too; what they do is in the count of methods at most.
    for (side, calls, least) in [(Side::Server, 5000, 12), (Side::Client, 2000, 10)] {
        let methods: Vec<_> =
            multiprocess::metrics().methods.into_iter().filter(|method| method.side == side).collect();
        let succeeded: u64 = methods.iter().map(|method| method.calls - method.errors).sum();
        assert!(succeeded > calls, "{side:?}: scripts get to calls that succeed: {succeeded}");
        assert!(methods.len() > least, "{side:?}: and to many methods: {methods:?}");
    }
    assert_eq!(seeds, ["client-bytes", "client-script", "server-bytes", "server-script"]);
}
