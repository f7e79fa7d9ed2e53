//! Known vectors of BIP32, BIP44, BIP49, BIP84, BIP86 and of Bitcoin Core's descriptor tests.

use bitcoin::bip32::{Xpriv, Xpub};
use bitcoin::hex::DisplayHex;

use super::*;

/// Master key of the mnemonic "abandon … about", which BIP84 and BIP86 use.
const MASTER: &str =
    "xprv9s21ZrQH143K3GJpoapnV8SFfukcVBSfeCficPSGfubmSFDxo1kuHnLisriDvSnRRuL2Qrg5ggqHKNVpxR86QEC8w35uxmGoggxtQTPvfUu";

fn none(_: &PublicKey) -> Option<SecretKey> {
    None
}

fn scripts(text: &str, network: Network, index: u32) -> Vec<String> {
    let parsed = Descriptor::parse(text, network, false).expect(text);
    let secrets = |key: &PublicKey| parsed.secrets.iter().find(|(public, _)| public == key).map(|found| found.1);
    let secp = Secp256k1::new();
    let mut learned = Cache::default();
    let expanded =
        parsed.descriptors[0].expand(&secp, index, &Cache::default(), &secrets, &mut learned).expect("has all keys");
    // The cache alone must give the same scripts.
    let again = parsed.descriptors[0].expand(&secp, index, &learned, &none, &mut Cache::default()).expect("cached");
    assert_eq!(expanded.scripts, again.scripts);
    expanded.scripts.iter().map(|script| script.as_bytes().to_lower_hex_string()).collect()
}

#[test]
fn default_descriptors_give_the_known_addresses() {
    let secp = Secp256k1::new();
    let xprv = Xpriv::from_str(MASTER).unwrap();
    let xpub = Xpub::from_priv(&secp, &xprv);
    let secrets = |_: &PublicKey| Some(xprv.private_key);
    let check = |kind, internal, index, expected: &str| {
        let descriptor = default_descriptor(&xpub, kind, internal, Network::Bitcoin);
        let expanded = descriptor.expand(&secp, index, &Cache::default(), &secrets, &mut Cache::default()).unwrap();
        let address = Address::from_script(&expanded.scripts[0], Network::Bitcoin).unwrap();
        assert_eq!(address.to_string(), expected);
        assert_eq!(descriptor.output_type(), Some(kind));
    };
    check(OutputType::Legacy, false, 0, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA");
    check(OutputType::P2shSegwit, false, 0, "37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf");
    check(OutputType::Bech32, false, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    check(OutputType::Bech32, false, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
    check(OutputType::Bech32, true, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
    check(OutputType::Bech32m, false, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
    check(OutputType::Bech32m, true, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7");
}

#[test]
fn scripts_are_cores() {
    let check =
        |text: &str, index, expected: &[&str]| assert_eq!(scripts(text, Network::Bitcoin, index), expected, "{text}");
    check(
        "combo(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)",
        0,
        &[
            "2103a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bdac",
            "76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac",
            "00149a1c78a507689f6f54b847ad1cef1e614ee23f1e",
            "a91484ab21b1b2fd065d4504ff693d832434b6108d7b87",
        ],
    );
    check(
        "raw(512103a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd51ae)",
        0,
        &["512103a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd51ae"],
    );
    check(
        "pkh(xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U/2147483647'/0)",
        0,
        &["76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac"],
    );
    check(
        "sh(wpkh(xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi/10/20/30/40/*'))",
        2,
        &["a9148483aa1116eb9c05c482a72bada4b1db24af654387"],
    );
    check(
        "tr(xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc/0/*,pk(xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc/1/*))",
        1,
        &["512001f0a02a17808c20134b78faab80ef93ffba82261ccef0a2314f5d62b6438f11"],
    );
    check(
        "wsh(multi(1,xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334/0,L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1))",
        0,
        &["0020cb155486048b23a6da976d4c6fe071a2dbc8a7b57aaf225b8955f2e2a27b5f00"],
    );
}

#[test]
fn ids_are_cores() {
    let parsed =
        Descriptor::parse("tr(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)", Network::Bitcoin, false).unwrap();
    let id = parsed.descriptors[0].id().to_string();
    assert_eq!(id, "4290f3d017b270be53b91abc56d9d2f23a3ff361d5b1d39550ba011e6cae0da5");
    assert_eq!(
        parsed.descriptors[0].public_text().split('#').next(),
        Some("tr(a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd)")
    );
}

#[test]
fn texts_come_in_all_forms() {
    let private = "pkh([aabbccdd/1']xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U/2147483647h/0)";
    let parsed = Descriptor::parse(private, Network::Bitcoin, false).unwrap();
    let descriptor = &parsed.descriptors[0];
    let secrets = |key: &PublicKey| parsed.secrets.iter().find(|(public, _)| public == key).map(|found| found.1);
    let mut cache = Cache::default();
    descriptor.expand(&Secp256k1::new(), 0, &Cache::default(), &secrets, &mut cache).unwrap();
    let body = |form| descriptor.text(form).unwrap().split('#').next().unwrap_or_default().to_owned();
    // As in Bitcoin Core, the last mark of a hardened step holds for the whole key.
    assert_eq!(body(Form::Private(&secrets)), private.replace("/1']", "/1h]"));
    assert_eq!(
        body(Form::Normalized(&cache)),
        "pkh([aabbccdd/1h/2147483647h]xpub69H7F5dQzmVd3vPuLKtcXJziMEQByuDidnX3YdwgtNsecY5HRGtAAQC5mXTt4dsv9RzyjgDjAQs9VGVV6ydYCHnprc9vvaA5YtqWyL6hyds/0)"
    );
    assert!(body(Form::Compat).contains("/2147483647'/0)"));
    assert!(descriptor.text(Form::Normalized(&Cache::default())).is_none());
}

#[test]
fn multipath_makes_two() {
    let text = "wpkh(xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB/<0;1>/*)";
    let parsed = Descriptor::parse(text, Network::Bitcoin, false).unwrap();
    let texts: Vec<String> = parsed.descriptors.iter().map(Descriptor::public_text).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("/0/*)") && texts[1].contains("/1/*)"));
}

#[test]
fn errors_are_cores() {
    let check = |text: &str, expected: &str| {
        let error = Descriptor::parse(text, Network::Bitcoin, false).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    const KEY: &str = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd";
    const LONG: &str = "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235";
    check("", "is not a valid descriptor function");
    check(&format!("foo({KEY})"), "is not a valid descriptor function");
    check("pkh()", "pkh(): No key provided");
    check("pkh(03a34b)", "pkh(): Pubkey '03a34b' is invalid");
    check(&format!("wpkh({LONG})"), "wpkh(): Uncompressed keys are not allowed");
    check("raw(xyz)", "Raw script is not hex");
    check("addr(nothing)", "Address is not valid");
    check(&format!("sh(combo({KEY}))"), "Can only have combo() at top level");
    check("raw(deadbeef)#8999", "Expected 8 character checksum, not 4 characters");
    check("raw(deadbeef)#89f8spxx", "Provided checksum '89f8spxx' does not match computed checksum '89f8spxm'");
    check("raw(deadbeef)##89f8spxm", "Multiple '#' symbols");
    let missing = Descriptor::parse("raw(deadbeef)", Network::Bitcoin, true).unwrap_err();
    assert_eq!(missing.to_string(), "Missing checksum");
    // Never a panic, whatever the text.
    let broken = [
        "wpkh(",
        "tr(,{{{",
        "sh(wsh(multi(1,",
        "pk(]",
        "pk([",
        "wsh(and_v(v:pk(",
        ")))",
        "tr(a,{b,c}",
        "pk(\u{1F600})",
    ];
    for text in broken {
        assert!(Descriptor::parse(text, Network::Bitcoin, false).is_err(), "{text}");
    }
}

/// Both sides are what Bitcoin Core's `getdescriptorinfo` reads and prints.
#[test]
fn texts_become_those_of_core() {
    let check = |text: &str, expected: &str| {
        let parsed = Descriptor::parse(text, Network::Regtest, false).expect(text);
        let descriptor = &parsed.descriptors[0];
        assert_eq!(descriptor.public_text(), expected, "{text}");
        assert_eq!(Descriptor::parse_stored(expected, Network::Regtest).unwrap().id(), descriptor.id(), "{text}");
    };
    const KEY: &str = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd";
    const XPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
    const HASH: &str = "e38990d0c7fc009880a9c07c23842e886c6bbdc964ce6bdd5817ad357335ee6f";
    let (upper, upper_hash) = (KEY.to_uppercase(), HASH.to_uppercase());
    check(
        "addr(BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080)",
        "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)#8pk5s7ya",
    );
    check("addr(bcrt1pfeesnyr2tx)", "addr(bcrt1pfeesnyr2tx)#swxgse0y");
    check("raw(AB51)#grky6rmk", "raw(ab51)#wsmwlgr6");
    check(&format!("pkh([AABBCCDD/01]{upper})"), &format!("pkh([aabbccdd/1]{KEY})#3dwln3qg"));
    check(&format!("pkh([AABBCCDD/1h/2']{XPUB}/1/*)"), &format!("pkh([aabbccdd/1'/2']{XPUB}/1/*)#0kefqz3f"));
    check(&format!("pkh([aabbccdd/1'/2h]{XPUB}/01/*)"), &format!("pkh([aabbccdd/1h/2h]{XPUB}/1/*)#3lkxdsp3"));
    check(&format!("pkh([aabbccdd/1h]{XPUB}/1/*')"), &format!("pkh([aabbccdd/1']{XPUB}/1/*')#cg789a8h"));
    check(&format!("pkh({XPUB}/1'/2h/*)"), &format!("pkh({XPUB}/1h/2h/*)#azzuqh3s"));
    check(&format!("pkh({XPUB}/1h/2/*')"), &format!("pkh({XPUB}/1h/2/*h)#ch85sc0v"));
    check(&format!("multi(01,{upper})"), &format!("multi(1,{KEY})#fllqyypk"));
    check(
        &format!("wsh(and_v(v:pk({upper}),sha256({upper_hash})))"),
        &format!("wsh(and_v(v:pk({KEY}),sha256({HASH})))#epp4ddms"),
    );
    check(&format!("wsh(and_v(v:pk({upper}),after(010)))"), &format!("wsh(and_v(v:pk({KEY}),after(10)))#wm97ccqt"));
    check(&format!("wsh(c:pk_k({upper}))"), &format!("wsh(pk({KEY}))#35m26dd5"));
    check(&format!("wsh(and_v(vc:pk_k({upper}),1))"), &format!("wsh(tv:pk({KEY}))#q9z64efh"));
    check(&format!("wsh(andor(pk({upper}),older(5),0))"), &format!("wsh(and_n(pk({KEY}),older(5)))#80qv473r"));
    check(
        &format!("wsh(and_v(v:pk({upper}),or_i(0,older(5))))"),
        &format!("wsh(and_v(v:pk({KEY}),l:older(5)))#mh7fd6r5"),
    );
    check(&format!("tr({})", &upper[2..]), &format!("tr({})#dh4fyxrd", &KEY[2..]));
    check(&format!("rawtr({upper})"), &format!("rawtr({KEY})#qwflrgxa"));
    check(&format!("pkh({XPUB}/<00;01>/*)"), &format!("pkh({XPUB}/0/*)#wr0v8pc5"));
    assert!(Descriptor::parse("raw()", Network::Regtest, false).is_err());
}
