//! What JSON-RPC over an interface must do.

use std::sync::Arc;

use interfaces::Rpc;

/// Checks an [`Rpc`], whatever commands it has.
pub fn rpc(rpc: &Arc<dyn Rpc>) {
    let call = |request: &str| rpc.execute_rpc(request.to_owned(), "/".to_owned(), "user".to_owned()).unwrap();
    let unknown = call(r#"{"method":"no such command","params":[],"id":1}"#);
    assert!(unknown.contains(r#""code":-32601"#) && unknown.contains(r#""id":1"#), "{unknown}");
    assert!(call("nonsense").contains(r#""code":-32700"#));
    assert_eq!(call("[]"), "[]");
}
