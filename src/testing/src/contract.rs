//! What every implementation of an interface must do, as functions that panic where one does not.

mod chain;
mod mining;
mod rpc;
mod wallet;

use std::sync::Arc;

use interfaces::{Chain, ClientV30, Echo, Error, Identity, Init};

pub use chain::{chain, fake_chain};
pub use mining::{mining, mining_v30};
pub use rpc::rpc;
pub use wallet::{wallet, wallet_loader};

/// Checks an [`Echo`].
pub fn echo(echo: &Arc<dyn Echo>) {
    for text in ["", "hello", "with \"quotes\" and\nlines", "ünïcödé ₿", &"long ".repeat(50_000)] {
        assert_eq!(echo.echo(text.to_owned()).as_deref(), Ok(text));
    }
}

/// Checks that an [`Init`] says who it is, whatever it is told, and as often as it is asked.
pub fn introduce(init: &Arc<dyn Init>) {
    let own = init.introduce(crate::identity("client")).unwrap();
    assert!(!own.program.is_empty() && !own.version.is_empty(), "{own:?}");
    let empty = Identity {
        program: String::new(),
        version: String::new(),
        build: "\0\n".to_owned(),
        network: "x".repeat(100_000),
    };
    if let Ok(again) = init.introduce(empty) {
        assert_eq!(again, own);
    }
}

/// Checks an [`Init`] that offers everything.
pub fn init(init: &Arc<dyn Init>, node_chain: Arc<dyn Chain>) {
    introduce(init);
    echo(&init.make_echo().unwrap());
    mining(&init.make_mining().unwrap());
    mining_v30(&init.make_mining_old2(Some(ClientV30 {})).unwrap());
    assert!(matches!(init.make_mining_old2(None), Err(Error::Internal { .. })));
    rpc(&init.make_rpc().unwrap());
    let loader = init.make_wallet_loader(crate::config(), node_chain).unwrap();
    wallet_loader(&loader);
}
