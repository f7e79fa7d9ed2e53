//! Threads, nesting, errors, big values, the trace.

use std::sync::{Arc, Barrier, Mutex, OnceLock};

use bitcoin::Amount;
use interfaces::{Chain, CreateWallet, Error, Result, RpcRequest, Wallet, WalletLoader};
use testing::{FakeChain, FakeInit, FakeWalletLoader, RpcHook};

use crate::link::{LIMIT, Once, ends, gate, link, wallet_link};

fn request(method: &str, params: &str) -> RpcRequest {
    RpcRequest {
        method: method.to_owned(),
        params: params.to_owned(),
        uri: "/".to_owned(),
        user: "me".to_owned(),
        tip: None,
    }
}

#[test]
fn a_call_inside_a_call_runs_on_the_thread_that_waits() {
    // The wallet asks our chain, twice, while it serves our call; each time we look at the thread.
    let hook: RpcHook = Arc::new(|_, chain| {
        chain.abort_node("one".to_owned())?;
        chain.abort_node("two".to_owned())?;
        Ok(Ok(String::new()))
    });
    let (_link, loader, chain) = wallet_link(Some(hook));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    chain.on_abort(move || noted.lock().unwrap().push(std::thread::current().id()));
    loader.execute_rpc(request("callback", "")).unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), [std::thread::current().id(); 2]);
}

#[test]
fn many_threads_call_and_are_called_back() {
    // Those who wait take turns at the socket: no answer and no wake may be lost between them.
    const THREADS: usize = 12;
    const CALLS: usize = 500;
    let hook: RpcHook = Arc::new(|request, chain| {
        if request.params == "back" {
            chain.block_at(1)?;
        }
        Ok(Ok(request.method.clone()))
    });
    let (_link, loader, _chain) = wallet_link(Some(hook));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let loader = loader.clone();
            move || {
                for call in 0..CALLS {
                    let (method, params) = (format!("{thread}/{call}"), ["", "back"][(thread + call) % 2]);
                    assert_eq!(loader.execute_rpc(request(&method, params)).unwrap(), Ok(method));
                }
            }
        })
        .collect();
    ends(|| {
        let running: Vec<_> = threads.into_iter().map(std::thread::spawn).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn calls_nest() {
    // Our call makes the wallet call us, which makes us call the wallet again, and so on: all on two threads.
    let threads = Arc::new(Mutex::new(Vec::new()));
    let noted = threads.clone();
    let hook: RpcHook = Arc::new(move |_, chain| {
        noted.lock().unwrap().push(std::thread::current().id());
        chain.abort_node(String::new())?;
        Ok(Ok(String::new()))
    });
    let (_link, loader, chain) = wallet_link(Some(hook));
    let (again, depth) = (loader.clone(), Mutex::new(0));
    chain.on_abort(move || {
        let mut count = depth.lock().unwrap();
        *count += 1;
        let more = *count < 20;
        drop(count);
        if more {
            again.execute_rpc(request("nest", "")).unwrap().unwrap();
        }
    });
    loader.execute_rpc(request("nest", "")).unwrap().unwrap();
    let threads = threads.lock().unwrap();
    assert_eq!(threads.len(), 20);
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
    // The chain's hook holds the loader: let both go.
    chain.on_abort(|| {});
}

#[test]
fn many_threads_at_once() {
    let (_link, loader, chain) = wallet_link(None);
    let threads = 16;
    let barrier = Arc::new(Barrier::new(threads));
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (loader, barrier) = (loader.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                for round in 0..50 {
                    let text = format!("[{thread},{round}]");
                    assert_eq!(loader.execute_rpc(request("echo", &text)).unwrap(), Ok(text));
                    assert_eq!(loader.execute_rpc(request("height", "[]")).unwrap(), Ok("5".to_owned()));
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(chain.status().unwrap().tip.height, 5);
}

#[test]
fn calls_of_one_thread_run_on_one_thread_of_the_other_side() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let hook: RpcHook = Arc::new(move |_, _| {
        let thread = std::thread::current();
        noted.lock().unwrap().push((thread.id(), thread.name().map(str::to_owned)));
        Ok(Ok(String::new()))
    });
    let (_link, loader, _chain) = wallet_link(Some(hook));
    for _ in 0..3 {
        loader.execute_rpc(request("thread", "")).unwrap().unwrap();
    }
    let other = loader.clone();
    std::thread::Builder::new()
        .name("second".to_owned())
        .spawn(move || other.execute_rpc(request("thread", "")).unwrap().unwrap())
        .unwrap()
        .join()
        .unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen[0].0 == seen[1].0 && seen[1].0 == seen[2].0 && seen[2].0 != seen[3].0, "{seen:?}");
    assert!(seen[3].1.as_deref().unwrap().contains("/second)"), "{seen:?}");
}

#[test]
fn a_panic_becomes_an_error_and_the_thread_lives_on() {
    let hook: RpcHook = Arc::new(|_, _| panic!("out of cheese"));
    let (_link, loader, _chain) = wallet_link(Some(hook));
    for _ in 0..2 {
        let error = loader.execute_rpc(request("panic", "[]")).unwrap_err();
        assert_eq!(error, Error::internal("WalletLoader.executeRpc panicked: out of cheese"));
    }
    assert_eq!(loader.execute_rpc(request("echo", "[1]")).unwrap(), Ok("[1]".to_owned()));
}

#[test]
fn errors_cross_as_they_are() {
    for error in [
        Error::Disconnected { call: "WalletLoader.executeRpc".to_owned() },
        Error::unsupported("WalletLoader.executeRpc"),
        Error::TimedOut { call: "WalletLoader.executeRpc".to_owned() },
        Error::internal("disk on fire"),
    ] {
        let answer = error.clone();
        let hook: RpcHook = Arc::new(move |_, _| Err(answer.clone()));
        let (_link, loader, _chain) = wallet_link(Some(hook));
        assert_eq!(loader.execute_rpc(request("fail", "[]")), Err(error));
    }
}

#[test]
fn big_values_cross() {
    let (_link, loader, _chain) = wallet_link(None);
    let text = "x".repeat(32 << 20);
    assert_eq!(loader.execute_rpc(request("echo", &text)).unwrap().unwrap().len(), text.len());
}

#[test]
fn a_drop_destroys_the_object_before_it_returns() {
    let (echo, keeper) = gate("");
    let link = link(Once::new(echo));
    let echo = link.init.make_echo().unwrap();
    assert_eq!(echo.echo("a".to_owned()).unwrap(), "a");
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    drop(echo);
    assert_eq!(keeper.reached.try_recv(), Ok("drop"));
}

#[test]
fn objects_stay_while_they_are_held() {
    let (_link, loader, _chain) = wallet_link(None);
    let request = CreateWallet {
        name: "w".to_owned(),
        disable_private_keys: false,
        blank: true,
        passphrase: String::new(),
        avoid_reuse: true,
        load_on_startup: Some(true),
    };
    let wallet: Arc<dyn Wallet> = loader.create_wallet(request).unwrap().ok().unwrap();
    let wallets = loader.wallets().unwrap();
    drop(loader);
    assert_eq!(wallet.info().unwrap().name, "w");
    drop(wallet);
    assert_eq!(wallets[0].info().unwrap().name, "w");
    assert!(wallets[0].balances().unwrap().trusted > Amount::ZERO);
}

#[test]
fn an_object_of_one_connection_can_be_handed_to_another() {
    // The chain is served over `far`, and its client is passed on over `near`.
    let keep: Arc<OnceLock<Arc<dyn Chain>>> = Arc::default();
    struct Keep(Arc<OnceLock<Arc<dyn Chain>>>);
    impl interfaces::Init for Keep {
        fn make_wallet_loader(
            &self,
            config: interfaces::ProcessConfig,
            chain: Arc<dyn Chain>,
        ) -> Result<Arc<dyn WalletLoader>> {
            let _ = self.0.set(chain.clone());
            Ok(Arc::new(FakeWalletLoader::new(config, chain, None)))
        }
    }
    let far = link(Keep(keep.clone()));
    let fake = FakeChain::new(7);
    let _first = far.init.make_wallet_loader(testing::config(), fake).unwrap();
    let near = link(FakeInit::default());
    let loader = near.init.make_wallet_loader(testing::config(), keep.get().unwrap().clone()).unwrap();
    assert_eq!(loader.execute_rpc(request("height", "[]")).unwrap(), Ok("7".to_owned()));
}

#[test]
fn dropping_from_many_threads_ends() {
    let (_link, loader, _chain) = wallet_link(None);
    ends(move || {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let loader = loader.clone();
                std::thread::spawn(move || {
                    for _ in 0..20 {
                        drop(loader.wallets().unwrap());
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}
