//! Calls over sockets that are listened on, both ends in this process.

use std::sync::Arc;

use interfaces::Echo;
use testing::FakeInit;

use crate::meter::{Row, rounds};
use crate::{LONG_ROUNDS, ROUNDS, TEXT};

fn with_echo(address: &str, measure: impl FnOnce(Arc<dyn Echo>) -> Row) -> Row {
    let dir = std::env::temp_dir().join(format!("ipc-bench-{}", std::process::id()));
    let address = ipc::BindAddress::parse(address, &dir, "bench").unwrap();
    let welcome = || ipc::Guest { init: Arc::new(FakeInit::default()), until_gone: Box::new(()) };
    let listener = ipc::listen(&address, welcome).unwrap();
    let (link, init) = ipc::connect(&listener.address(), &dir, "bench").unwrap();
    let row = measure(init.make_echo().unwrap());
    drop((link, listener));
    std::fs::remove_dir_all(dir).unwrap();
    row
}

pub fn calls(address: &str) -> Row {
    with_echo(address, |echo| rounds(std::process::id(), ROUNDS, || drop(echo.echo(TEXT.to_owned()).unwrap())))
}

pub fn long(address: &str, length: usize) -> Row {
    let text = "x".repeat(length);
    with_echo(address, |echo| {
        rounds(std::process::id(), LONG_ROUNDS, || assert_eq!(echo.echo(text.clone()).unwrap().len(), length))
    })
}
