//! The generator on small inputs: what fits and, above all, what it says when something does not.

#[path = "../codegen.rs"]
mod codegen;

use std::path::Path;
use std::process::Command;

/// Compiles a schema and generates the glue with a few traits.
fn generate(name: &str, rust: &str, schema: &str) -> Result<String, Vec<String>> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("test.capnp");
    let head = "@0xf0f1f2f3f4f5f6f7;\nusing Proxy = import \"/mp/proxy.capnp\";\n";
    std::fs::write(&file, format!("{head}{schema}")).unwrap();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let compiled = Command::new(env!("IPC_CAPNP"))
        .args(["compile", "-o-", "--no-standard-import"])
        .arg(format!("--import-path={}", schemas.display()))
        .arg(format!("--import-path={}", schemas.join("../src/multiprocess/schema").display()))
        .arg(format!("--src-prefix={}", dir.display()))
        .arg(&file)
        .env_remove("PWD")
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    codegen::generate(&[("test.rs".to_owned(), rust.to_owned())], &compiled.stdout, "crate::schema")
}

const ECHO: &str = "interface Echo $Proxy.wrap(\"Echo\") {\n";

/// Checks that a trait `Echo` with `method` and an interface with `schema` differ in exactly these ways.
#[track_caller]
fn refuses(name: &str, method: &str, schema: &str, more_rust: &str, more_schema: &str, expected: &[&str]) {
    let rust = format!("pub trait Echo {{ {method} }}\n{more_rust}");
    let schema = format!("{ECHO}{schema}\n}}\n{more_schema}");
    let errors = generate(name, &rust, &schema).expect_err("the two sides differ");
    assert_eq!(errors, expected);
}

#[test]
fn what_fits_is_generated() {
    let rust = "
        pub trait Echo {
            fn echo(&self, max_fee: Amount, deep: Vec<Option<Thing>>) -> Result<Option<u32>>;
            fn other(&self, to: Arc<dyn Echo>) -> Result<std::result::Result<Arc<dyn Echo>, Refusal>>;
        }
        pub struct Thing { pub name: String, pub color: Color }
        pub enum Color { Red, DeepBlue }
        pub enum Refusal { Busy, Other { reason: String }, Thing(Thing) }";
    let schema = "interface Echo $Proxy.wrap(\"Echo\") {
            destroy @0 (context :Proxy.Context) -> ();
            echo @1 (context :Proxy.Context, maxFee :Int64, deep :List(MaybeThing)) -> (result :UInt32, hasResult :Bool);
            other @2 (context :Proxy.Context, to :Echo) -> (result :Echo, error :Refusal);
        }
        struct Thing { name @0 :Text; color @1 :Color; }
        struct MaybeThing { value @0 :Thing; }
        enum Color { red @0; deepBlue @1; }
        struct Refusal { union { busy @0 :Void; other :group { reason @1 :Text; } thing @2 :Thing; } }";
    let glue = generate("fits", rust, schema).unwrap();
    for part in
        ["impl interfaces::Echo for EchoClient", "impl Service for EchoServer", "fn read_refusal", "Kind::Destroy"]
    {
        assert!(glue.contains(part), "{part} in {glue}");
    }
}

#[test]
fn names_ids_and_results_can_differ_in_form() {
    let rust = "
        pub trait Echo { fn echo(&self, tx: Option<Transaction>) -> Result<Vec<Option<Transaction>>>; }
        pub trait Old { fn check(&self, fee: SignedAmount) -> Result<Verdict>; }
        pub struct Verdict { pub result: bool, pub long_reason: String }";
    let schema = "interface Echo $Proxy.wrap(\"Echo\") {
            getEchoID @0 (context :Proxy.Context, tx :Data) -> (result :List(Data)) $Proxy.name(\"echo\");
        }
        annotation speaksAs(interface) :Text;
        interface Old $Proxy.wrap(\"Old\") $speaksAs(\"test.capnp:Echo\") {
            check @0 (context :Proxy.Context, fee :Int64) -> (longReason :Text, result :Bool);
        }";
    let glue = generate("forms", rust, schema).unwrap();
    let id = glue.split("name: \"Echo.getEchoID\", interface_id: ").nth(1).unwrap().split(',').next().unwrap();
    assert!(glue.contains(&format!("name: \"Old.check\", interface_id: {id},")), "{glue}");
    assert!(glue.contains("fn echo(&self, tx: Option<bitcoin::Transaction>)"), "{glue}");

    let schema = "interface Echo $Proxy.wrap(\"Echo\") {
        echo @0 (context :Proxy.Context) -> (reason :Text, result :Bool); }";
    let rust = "pub trait Echo { fn echo(&self) -> Result<Verdict>; }
        pub struct Verdict { pub result: bool, pub long_reason: String }";
    let errors = generate("spread", rust, schema).expect_err("a field differs");
    assert_eq!(
        errors,
        [
            "Verdict.long_reason has no field longReason in test.capnp:Echo.echo$Results",
            "field reason of test.capnp:Echo.echo$Results has no counterpart in the result of Echo::echo",
        ]
    );
}

#[test]
fn methods_and_arguments_must_match_by_name() {
    let method = "fn echo(&self, text: String) -> Result<String>;";
    refuses(
        "method",
        method,
        "repeat @0 (context :Proxy.Context, text :Text) -> (result :Text);",
        "",
        "",
        &[
            "trait method Echo::echo has no method echo in test.capnp:Echo",
            "schema method test.capnp:Echo.repeat has no counterpart in trait Echo",
        ],
    );
    refuses(
        "argument",
        method,
        "echo @0 (context :Proxy.Context, word :Text) -> (result :Text);",
        "",
        "",
        &[
            "Echo::echo(text) has no field text in test.capnp:Echo.echo$Params",
            "field word of test.capnp:Echo.echo$Params has no counterpart in Echo::echo",
        ],
    );
    refuses(
        "result",
        method,
        "echo @0 (context :Proxy.Context, text :Text) -> (answer :Text);",
        "",
        "",
        &[
            "Echo::echo has no field result in test.capnp:Echo.echo$Results",
            "field answer of test.capnp:Echo.echo$Results has no counterpart in the result of Echo::echo",
        ],
    );
    refuses(
        "context",
        method,
        "echo @0 (text :Text, context :Proxy.Context) -> (result :Text);",
        "",
        "",
        &["test.capnp:Echo.echo: context must be a Proxy.Context and come first"],
    );
}

#[test]
fn types_must_match() {
    for (name, rust, schema, says) in [
        ("width", "u32", "Int32", "Echo::echo(x) is u32, but test.capnp:Echo.echo$Params.x is Int32"),
        ("text", "String", "Data", "Echo::echo(x) is String, but test.capnp:Echo.echo$Params.x is Data"),
        ("bytes", "Txid", "Text", "Echo::echo(x) is bitcoin::Txid, but test.capnp:Echo.echo$Params.x is Text"),
        ("amount", "Amount", "UInt64", "Echo::echo(x) is bitcoin::Amount, but test.capnp:Echo.echo$Params.x is UInt64"),
        ("list", "Vec<u64>", "List(UInt32)", "Echo::echo(x) is u64, but test.capnp:Echo.echo$Params.x is UInt32"),
        (
            "object",
            "Arc<dyn Echo>",
            "Other",
            "Echo::echo(x) is Arc<dyn interfaces::Echo>, but test.capnp:Echo.echo$Params.x is test.capnp:Other",
        ),
        (
            "option",
            "Option<u32>",
            "UInt32",
            "Echo::echo(x) is Option<u32>, but test.capnp:Echo.echo$Params has no field hasX",
        ),
        ("named", "Thing", "Gadget", "Echo::echo(x) is Thing, but test.capnp:Echo.echo$Params.x is Gadget"),
        (
            "map",
            "BTreeMap<String, u32>",
            "List(Text)",
            "Echo::echo(x) is BTreeMap<String, u32>, but an element of test.capnp:Echo.echo$Params.x is Text",
        ),
        ("key", "HashMap<u64, u32>", "List(Two)", "Echo::echo(x) is u64, but test.capnp:Two.first is Text"),
        (
            "entry",
            "BTreeMap<String, u32>",
            "List(Gadget)",
            "Echo::echo(x) is BTreeMap<String, u32>, but test.capnp:Gadget has 1 fields",
        ),
        ("set", "BTreeSet<u32>", "List(Text)", "Echo::echo(x) is u32, but test.capnp:Echo.echo$Params.x is Text"),
        ("tuple", "(u32, bool)", "Text", "Echo::echo(x) is (u32, bool), but test.capnp:Echo.echo$Params.x is Text"),
        (
            "longer",
            "(String, u32, bool)",
            "Two",
            "Echo::echo(x) is (String, u32, bool), but test.capnp:Two has 2 fields",
        ),
        ("lists", "Vec<Vec<u8>>", "List(Text)", "Echo::echo(x) is Vec<u8>, but test.capnp:Echo.echo$Params.x is Text"),
    ] {
        refuses(
            name,
            &format!("fn echo(&self, x: {rust}) -> Result<()>;"),
            &format!("echo @0 (context :Proxy.Context, x :{schema}) -> ();"),
            "pub struct Thing { pub a: u32 }",
            "interface Other {}\nstruct Gadget { a @0 :UInt32; }\nstruct Two { first @0 :Text; second @1 :UInt32; }",
            &[says],
        );
    }
}

#[test]
fn streams_are_streams_on_both_sides() {
    refuses(
        "sent",
        "fn echo(&self, x: u32) -> Sent;",
        "echo @0 (context :Proxy.Context, x :UInt32) -> ();",
        "",
        "",
        &["Echo::echo returns Sent, but test.capnp:Echo.echo does not return stream"],
    );
    refuses(
        "stream",
        "fn echo(&self, x: u32) -> Result<()>;",
        "echo @0 (context :Proxy.Context, x :UInt32) -> stream;",
        "",
        "",
        &["Echo::echo does not return Sent, but test.capnp:Echo.echo returns stream"],
    );
    refuses(
        "nowhere",
        "fn echo(&self, x: u32) -> Sent;",
        "echo @0 (x :UInt32) -> stream;",
        "",
        "",
        &["Echo::echo is a stream, but test.capnp:Echo.echo takes no context"],
    );
}

#[test]
fn results_inside_of_values_have_two_fields() {
    refuses(
        "inside",
        "fn echo(&self, x: Vec<std::result::Result<u32, String>>) -> Result<()>;",
        "echo @0 (context :Proxy.Context, x :List(Gadget)) -> ();",
        "",
        "struct Gadget { result @0 :UInt32; reason @1 :Text; }",
        &[
            "Echo::echo(x) has no field error in test.capnp:Gadget",
            "field reason of test.capnp:Gadget has no counterpart in Echo::echo(x)",
        ],
    );
}

#[test]
fn fields_and_variants_must_match_both_ways() {
    let method = "fn echo(&self, x: Thing) -> Result<()>;";
    let call = "echo @0 (context :Proxy.Context, x :Thing) -> ();";
    refuses(
        "fields",
        method,
        call,
        "pub struct Thing { pub a: u32, pub only_here: bool }",
        "struct Thing { a @0 :UInt32; onlyThere @1 :Bool; }",
        &[
            "Thing.only_here has no field onlyHere in test.capnp:Thing",
            "field onlyThere of test.capnp:Thing has no counterpart in struct Thing",
        ],
    );
    refuses(
        "variants",
        method,
        call,
        "pub enum Thing { A, OnlyHere }",
        "enum Thing { a @0; onlyThere @1; }",
        &[
            "Thing::OnlyHere has no counterpart in test.capnp:Thing",
            "onlyThere of test.capnp:Thing has no counterpart in enum Thing",
        ],
    );
    refuses(
        "union",
        method,
        call,
        "pub enum Thing { A, OnlyHere { b: u32 } }",
        "struct Thing { union { a @0 :Void; onlyThere @1 :Void; } }",
        &[
            "Thing::OnlyHere has no field onlyHere in test.capnp:Thing",
            "field onlyThere of test.capnp:Thing has no counterpart in enum Thing",
        ],
    );
}

#[test]
fn every_trait_has_one_interface() {
    let errors = generate("none", "pub trait Echo {}", "interface Echo {}").expect_err("no interface wraps it");
    assert_eq!(errors, ["trait Echo is wrapped by 0 interfaces of the schemas, not by one"]);
    let errors = generate("lost", "", "interface Echo $Proxy.wrap(\"Echo\") {}").expect_err("there is no trait");
    assert_eq!(errors, ["interface test.capnp:Echo wraps Echo: there is no such trait"]);
}

#[test]
fn what_cannot_cross_is_named() {
    for (rust, says) in [
        ("fn echo(&self, x: &str) -> Result<()>;", "test.rs: Echo.echo: x: only owned types can cross"),
        ("fn echo(&self) -> u32;", "test.rs: Echo.echo: does not return interfaces::Result<T>"),
        ("fn echo(&self, x: Box<u32>) -> Result<()>;", "test.rs: Echo.echo: x: Box<…> cannot cross"),
        (
            "fn echo(&self, x: (u8, u8, u8, u8, u8, u8, u8)) -> Result<()>;",
            "test.rs: Echo.echo: x: a tuple of more than 6 cannot cross",
        ),
    ] {
        refuses("cross", rust, "echo @0 (context :Proxy.Context) -> ();", "", "", &[says]);
    }
}

#[test]
fn the_runtime_has_the_types_of_the_schema() {
    // multiprocess keeps the generated types of its own schemas, so that it builds without the compiler.
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../multiprocess");
    let schema = crate_dir.join("schema");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime");
    std::fs::create_dir_all(&out).unwrap();
    capnpc::CompilerCommand::new()
        .capnp_executable(env!("IPC_CAPNP"))
        .no_standard_import()
        .import_path(&schema)
        .src_prefix(&schema)
        .file(schema.join("mp/proxy.capnp"))
        .file(schema.join("shape.capnp"))
        .output_path(&out)
        .run()
        .unwrap();
    let code = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        // The compiler's version shows in the comments and in how it encodes its own description of a type.
        let incidental = ["// capnp", "::capnp::word(", "ENCODED_NODE: ["];
        let kept = |line: &&str| !incidental.iter().any(|part| line.contains(part));
        text.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>()
    };
    for (fresh, kept) in [("mp/proxy_capnp.rs", "proxy_capnp.inc"), ("shape_capnp.rs", "shape_capnp.inc")] {
        let same = code(&out.join(fresh)) == code(&crate_dir.join("generated").join(kept));
        assert!(
            same,
            "src/multiprocess/generated/{kept} is not what capnpc makes of the schema: replace it with {fresh}"
        );
    }
}
