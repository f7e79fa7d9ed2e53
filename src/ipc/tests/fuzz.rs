//! A bounded run of the target for fuzzing, on the seeds in `fuzz/corpus/ipc` and what comes of them.

use multiprocess::Side;

use crate::script;

#[test]
fn whatever_is_said_everything_ends() {
    let init = script::offer();
    let seeds = testing::fuzz::drive("ipc", 3000, |input| script::run(&init, input));
    let served = multiprocess::metrics().methods.into_iter().filter(|method| method.side == Side::Server);
    let calls: u64 = served.map(|method| method.calls).sum();
    assert!(calls > 500, "scripts get to be served: {calls}");
    assert_eq!(seeds, ["client-bytes", "client-script", "server-bytes", "server-script"]);
}
