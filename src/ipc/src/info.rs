//! What the runtime counted, as those who know only the interfaces show it.

use interfaces::{IpcInfo, IpcMethod, IpcObjects, IpcSide};
use multiprocess::{MethodMetrics, Metrics, ObjectMetrics, Side};

/// Returns what was counted of the calls between this process and others.
pub fn info() -> IpcInfo {
    let Metrics { methods, objects } = multiprocess::metrics();
    IpcInfo { methods: methods.into_iter().map(method).collect(), objects: objects.into_iter().map(object).collect() }
}

fn side(side: Side) -> IpcSide {
    match side {
        Side::Client => IpcSide::Client,
        Side::Server => IpcSide::Server,
    }
}

fn method(metrics: MethodMetrics) -> IpcMethod {
    let MethodMetrics { method, side: of, calls, errors, sent, received, total, longest, median, p99 } = metrics;
    IpcMethod { method: method.to_owned(), side: side(of), calls, errors, sent, received, total, longest, median, p99 }
}

fn object(ObjectMetrics { interface, side: of, live }: ObjectMetrics) -> IpcObjects {
    IpcObjects { interface: interface.to_owned(), side: side(of), live }
}
