//! Precedence and error texts of options.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A data directory, options after `-datadir`, and the content of `bitcoin.conf`.
struct Case {
    dir: TempDir,
}

impl Case {
    fn new(conf: &str) -> Case {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("bitcoin.conf"), conf).unwrap();
        Case { dir }
    }

    fn parse(&self, options: &[&str]) -> Result<Args, ArgsError> {
        let datadir = format!("-datadir={}", self.dir.path().display());
        Args::parse(Program::Bitcoind, ["bitcoind", &datadir].iter().chain(options).copied())
    }

    fn init(&self, options: &[&str]) -> Result<Args, ArgsError> {
        let args = self.parse(options)?;
        args.init_config()?;
        Ok(args)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

#[test]
fn command_line_errors() {
    let check = |program: Program, words: &[&str], expected: &str| {
        let error = Args::parse(program, ["x"].iter().chain(words).copied()).expect_err("an error");
        assert_eq!(error.to_string(), format!("Error parsing command line arguments: {expected}"));
    };
    check(Program::Bitcoind, &["-foo"], "Invalid parameter -foo");
    check(Program::Bitcoind, &["-foo=bar"], "Invalid parameter -foo=bar");
    check(Program::Bitcoind, &["--foo"], "Invalid parameter --foo");
    check(Program::Bitcoind, &["-regtest.server=1"], "Invalid parameter -regtest.server=1");
    check(Program::Bitcoind, &["-ipcbind=unix"], "Invalid parameter -ipcbind=unix");
    check(Program::Bitcoind, &["-rpcwait"], "Invalid parameter -rpcwait");
    check(Program::BitcoinCli, &["-txindex"], "Invalid parameter -txindex");
    check(Program::Bitcoind, &["-nodatadir"], "Negating of -datadir is meaningless and therefore forbidden");
    check(Program::Bitcoind, &["-proxy"], "Can not set -proxy with no value. Please specify value with -proxy=value.");
    check(
        Program::Bitcoind,
        &["-includeconf=x.conf"],
        "-includeconf cannot be used from commandline; -includeconf=\"x.conf\"",
    );
    check(Program::BitcoinWallet, &["nonsense"], "Invalid command 'nonsense'");
    check(Program::BitcoinWallet, &["-info"], "Invalid parameter -info");
}

#[test]
fn words_after_the_options() {
    let check = |program: Program, words: &[&str], expected: &[&str]| {
        let args = Args::parse(program, ["x"].iter().chain(words).copied()).unwrap();
        assert_eq!(args.words(), expected);
    };
    check(Program::BitcoinCli, &["-regtest", "getblock", "-x", "1"], &["getblock", "-x", "1"]);
    check(Program::BitcoinWallet, &["-wallet=w", "info"], &["info"]);
    check(Program::BitcoinCli, &["-named", "-", "x"], &[]);
    let error = Case::new("").init(&["alice"]).expect_err("a word").to_string();
    assert_eq!(error, "Command line contains unexpected token 'alice', see bitcoind -h for a list of options.");
    assert!(Args::parse(Program::BitcoinNode, ["bitcoin-node", "-ipcbind=unix"]).is_ok());
    assert!(Args::parse(Program::BitcoinWallet, ["bitcoin-wallet", "-ipcfd=5"]).unwrap().is_set("ipcfd"));
}

#[test]
fn precedence() {
    let check = |conf: &str, options: &[&str], name: &str, one: Option<&str>, all: &[&str]| {
        let args = Case::new(conf).init(&[&["-regtest"], options].concat()).unwrap();
        assert_eq!(
            (args.get(name).as_deref(), args.get_all(name).as_slice()),
            (one, &all.map_str()[..]),
            "{conf:?} {options:?}"
        );
    };
    check("", &[], "uacomment", None, &[]);
    check("", &["-uacomment=a", "-uacomment=b"], "uacomment", Some("b"), &["a", "b"]);
    check("uacomment=a\nuacomment=b", &[], "uacomment", Some("a"), &["a", "b"]);
    check("uacomment=a", &["-uacomment=b"], "uacomment", Some("b"), &["b", "a"]);
    check("uacomment=a\n[regtest]\nuacomment=b", &[], "uacomment", Some("b"), &["b", "a"]);
    check("uacomment=a\n[test]\nuacomment=b", &[], "uacomment", Some("a"), &["a"]);
    check("regtest.uacomment=b", &[], "uacomment", Some("b"), &["b"]);
    check("uacomment=a", &["-nouacomment"], "uacomment", Some("0"), &[]);
    check("uacomment=a", &["-nouacomment", "-uacomment=b"], "uacomment", Some("b"), &["b", "a"]);
    check("uacomment=a\nnouacomment=1\nuacomment=b", &[], "uacomment", Some("b"), &["b"]);
    check("", &["-nouacomment=0"], "uacomment", Some("1"), &["1"]);
    // Network-only options count in their section, and a negation counts everywhere.
    check("wallet=a", &[], "wallet", None, &[]);
    check("[regtest]\nwallet=a", &[], "wallet", Some("a"), &["a"]);
    check("nowallet=1", &[], "wallet", Some("0"), &[]);
}

trait MapStr {
    fn map_str(&self) -> Vec<String>;
}

impl MapStr for &[&str] {
    fn map_str(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn typed_values_and_defaults() {
    let args =
        Case::new("listen=false\nserver=\n").init(&["-rpcthreads=4x", "-nopersistmempool", "-dbcache=abc"]).unwrap();
    assert_eq!(args.get_int("-rpcthreads"), 4);
    assert_eq!(args.get_int("rpcworkqueue"), 64);
    assert_eq!(args.get_int("dbcache"), 0);
    assert!(!args.get_bool("listen") && args.get_bool("server") && !args.get_bool("persistmempool"));
    assert!(args.get_bool("walletbroadcast") && !args.get_bool("txindex"));
    assert!(args.is_negated("persistmempool") && !args.is_negated("listen") && args.is_set("listen"));
    assert_eq!(args.get_str("minrelaytxfee"), "0.000001");
    assert!(args.soft_set("discover", "0") && !args.soft_set("listen", "1") && !args.get_bool("discover"));
    args.force_set("listen", "1");
    assert!(args.get_bool("listen"));
}

#[test]
fn config_file_errors() {
    let check = |conf: &str, expected: &str| {
        let error = Case::new(conf).init(&["-regtest"]).expect_err(conf).to_string();
        assert_eq!(error, format!("Error reading configuration file: {expected}"));
    };
    check(
        "# comment\n-server=1",
        "parse error on line 2: -server=1, options in configuration file must be specified without leading -",
    );
    check(
        "nolisten",
        "parse error on line 1: nolisten, if you intended to specify a negated option, use nolisten=1 instead",
    );
    check("foo", "parse error on line 1: foo");
    check("rpcpassword=a#b", "parse error on line 1, using # in rpcpassword can be ambiguous and should be avoided");
    check(
        "conf=x",
        "conf cannot be set in the configuration file; use includeconf= if you want to include additional config files",
    );
    check("nodatadir=1", "Negating of -datadir is meaningless and therefore forbidden");
    check("includeconf=missing.conf", "Failed to include configuration file missing.conf");
}

#[test]
fn config_file_choice() {
    let case = Case::new("uacomment=main");
    let error = case.init(&["-conf=none.conf"]).expect_err("no such file").to_string();
    let none = case.path("none.conf");
    assert_eq!(
        error,
        format!("Error reading configuration file: specified config file \"{}\" could not be opened.", none.display())
    );
    assert_eq!(case.init(&["-noconf"]).unwrap().get("uacomment"), None);
    fs::create_dir(case.path("dir.conf")).unwrap();
    let error = case.init(&["-conf=dir.conf"]).expect_err("a directory").to_string();
    assert!(error.ends_with("dir.conf\" is a directory."), "{error}");
    fs::write(case.path("other.conf"), "uacomment=other").unwrap();
    let error = case.init(&["-conf=other.conf"]).expect_err("an ignored file").to_string();
    assert!(error.contains("contains a \"bitcoin.conf\" file which is ignored"), "{error}");
    let args = case.init(&["-conf=other.conf", "-allowignoredconf"]).unwrap();
    assert_eq!(args.get("uacomment").as_deref(), Some("other"));
    fs::write(case.path("moved.conf"), "datadir=/not/there").unwrap();
    let moved = format!("-conf={}", case.path("moved.conf").display());
    let error = Args::parse(Program::Bitcoind, ["bitcoind", &moved]).unwrap().init_config().expect_err("no directory");
    assert_eq!(
        error.to_string(),
        "Error reading configuration file: specified data directory \"/not/there\" does not exist."
    );
    let missing = Args::parse(Program::Bitcoind, ["bitcoind", "-datadir=/not/there"]).unwrap();
    let error = missing.init_config().expect_err("no directory").to_string();
    assert_eq!(error, "Specified data directory \"/not/there\" does not exist.");
}

#[test]
fn included_files() {
    let case = Case::new("uacomment=main\nincludeconf=a.conf\n[regtest]\nincludeconf=b.conf\n");
    fs::write(case.path("a.conf"), "uacomment=a\nincludeconf=c.conf\n").unwrap();
    fs::write(case.path("b.conf"), "[regtest]\nuacomment=b\n").unwrap();
    let args = case.parse(&["-regtest"]).unwrap();
    let warnings = args.init_config().unwrap();
    assert_eq!(args.get_all("uacomment"), ["b", "main", "a"]);
    assert_eq!(warnings, ["warning: -includeconf cannot be used from included files; ignoring -includeconf=c.conf"]);
    assert_eq!(case.init(&["-regtest", "-noincludeconf"]).unwrap().get_all("uacomment"), ["main"]);
}

#[test]
fn chains() {
    let check = |conf: &str, options: &[&str], expected: Result<Chain, &str>| {
        let chain = Case::new(conf).init(options).map(|args| args.chain()).map_err(|error| error.to_string());
        assert_eq!(chain, expected.map_err(str::to_owned), "{conf:?} {options:?}");
    };
    check("", &[], Ok(Chain::Main));
    check("regtest=1", &[], Ok(Chain::Regtest));
    check("", &["-chain=testnet4"], Ok(Chain::Testnet4));
    check("chain=signet", &[], Ok(Chain::Signet));
    check("regtest=0\nregtest=1", &[], Ok(Chain::Regtest));
    check("regtest=1", &["-noregtest"], Ok(Chain::Regtest));
    check("", &["-chain=moon"], Err("Unknown chain moon."));
    let many = "Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one.";
    check("", &["-regtest", "-testnet"], Err(many));
    check("regtest=1", &["-chain=regtest"], Err(many));
}

#[test]
fn sections() {
    let case = Case::new("port=1\nuacomment=x\n[regtest]\nrpcport=2\n[nonsense]\nserver=1\nother.server=1\n");
    let args = case.init(&["-regtest"]).unwrap();
    assert_eq!(
        args.section_errors(),
        ["Config setting for -port only applied on regtest network when in [regtest] section."]
    );
    let file = case.path("bitcoin.conf").display().to_string();
    assert_eq!(
        args.section_warnings(),
        [
            format!("{file}:5 Section [nonsense] is not recognized."),
            format!("{file}:7 Section [nonsense.other] is not recognized.")
        ]
    );
    assert_eq!(case.init(&[]).unwrap().section_errors(), Vec::<String>::new());
}

#[test]
fn directories() {
    let case = Case::new("");
    let args = case.init(&["-regtest"]).unwrap();
    assert_eq!(args.net_datadir(), case.path("regtest"));
    assert!(case.path("regtest/wallets").is_dir() && !case.path("wallets").exists());
    assert_eq!(args.blocks_dir(), Some(case.path("regtest/blocks")));
    assert_eq!(args.net_path("rpccookiefile", ".cookie"), Some(case.path("regtest/.cookie")));
    let elsewhere = case.init(&["-regtest", "-blocksdir=/not/there", "-norpccookiefile"]).unwrap();
    assert_eq!((elsewhere.blocks_dir(), elsewhere.net_path("rpccookiefile", ".cookie")), (None, None));
}

#[test]
fn dynamic_settings() {
    let case = Case::new("");
    let args = case.init(&["-regtest"]).unwrap();
    args.update_setting("wallet", Some(serde_json::json!(["a", "b"]))).unwrap();
    let again = case.init(&["-regtest"]).unwrap();
    assert_eq!(again.get_all("wallet"), ["a", "b"]);
    again.update_setting("wallet", None).unwrap();
    assert!(!case.init(&["-regtest"]).unwrap().is_set("wallet"));
    fs::write(case.path("regtest/settings.json"), "{").unwrap();
    let error = case.init(&["-regtest"]).expect_err("not JSON").to_string();
    assert!(error.starts_with("Settings file could not be read:\n- Settings file "), "{error}");
    assert!(case.init(&["-regtest", "-nosettings"]).is_ok());
}

#[test]
fn settings_for_another_process() {
    let case = Case::new("[regtest]\nkeypool=5\nkeypool=6\n");
    let args =
        case.init(&["-regtest", "-wallet=a", "-wallet=b", "-nolisten", "-rpcpassword=secret", "-debug"]).unwrap();
    let settings = args.effective_settings();
    assert!(!settings.iter().any(|(name, _)| name == "rpcpassword"));
    let child = Args::from_settings(Program::BitcoinNode, args.chain(), args.net_datadir(), settings);
    assert_eq!(child.get_int("keypool"), 5);
    assert_eq!(child.get_all("wallet"), ["a", "b"]);
    assert_eq!(child.get_all("debug"), [""]);
    assert!(child.is_negated("listen"));
    assert_eq!((child.chain(), child.net_datadir()), (Chain::Regtest, case.path("regtest")));
}

#[test]
fn options_without_the_capability() {
    let check = |options: &[&str], ignored: &[&str], refused: &[&str]| {
        let args = Case::new("").init(options).unwrap();
        let names = |found: Vec<(String, _)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(args.ignored()), ignored, "{options:?}");
        assert_eq!(names(args.refused()), refused, "{options:?}");
    };
    check(&["-txindex=0", "-noonion", "-natpmp=0", "-v2transport=0"], &[], &[]);
    check(&["-txindex", "-seednode=x", "-v2transport=1"], &["-v2transport", "-seednode"], &["-txindex"]);
    check(&["-proxy=0", "-proxy=", "-proxy=0=ipv4", "-onion=", "-onion=0", "-signer=", "-walletnotify="], &[], &[]);
    check(
        &["-proxy=1.2.3.4:5=ipv4", "-proxy=0", "-blockfilterindex", "-asmap"],
        &[],
        &["-blockfilterindex", "-asmap", "-proxy"],
    );
    check(&["-proxy=1.2.3.4", "-noproxy", "-blockfilterindex=0", "-zmqpubrawtx=0"], &[], &[]);
}

#[test]
fn what_the_functional_framework_passes_is_accepted() {
    let options = "-logtimemicros -debug -debugexclude=leveldb -debugexclude=rand -uacomment=testnode0 -disablewallet \
                   -logthreadnames -logsourcelocations -loglevel=trace -nologratelimit -v2transport=0";
    let conf = "regtest=1\n[regtest]\nport=1\nrpcport=2\nrpcdoccheck=1\nrpcthreads=2\nfallbackfee=0.0002\nkeypool=1\n\
                discover=0\ndnsseed=0\nfixedseeds=0\nlistenonion=0\npeertimeout=999999999\nprinttoconsole=0\nnatpmp=0\n\
                shrinkdebugfile=0\nunsafesqlitesync=1\nconnect=0\nmaxconnections=94\npar=2\nprevoutfetchthreads=1\n\
                bind=127.0.0.1\n";
    let args = Case::new(conf).init(&options.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert!(args.section_errors().is_empty() && args.section_warnings().is_empty() && args.ignored().is_empty());
    assert!(args.refused().is_empty());
    assert_eq!((args.get_int("rpcport"), args.get_int("port"), args.chain()), (2, 1, Chain::Regtest));
}

#[test]
fn help_lists_every_shown_option() {
    let args = Case::new("").parse(&["-help-debug"]).unwrap();
    assert!(args.help_requested());
    let text = args.help_text();
    assert!(text.starts_with("Options:\n\n  -alertnotify=<cmd>\n       Run <cmd> when"), "{text}");
    for row in table::of(Program::Bitcoind).filter(|row| row.category != Category::Hidden) {
        assert!(text.contains(&format!("\n  -{}{}\n", row.name, row.form)), "{}", row.name);
    }
    assert!(text.lines().all(|line| line.len() <= 79 || !line.trim_start().contains(' ') || line.contains("  -")));
    let plain = Case::new("").parse(&["-?"]).unwrap().help_text();
    assert!(!plain.contains("-help-debug=") && !plain.contains("-mocktime") && plain.contains("  -rpcthreads=<n>\n"));
}
