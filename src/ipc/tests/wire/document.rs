//! What others read of the interfaces says what is on the wire: the table in doc/ipc.md, and the schema that declares a part
//! of a private one once more.

use std::collections::BTreeMap;
use std::path::Path;

use super::own::names;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).unwrap()
}

/// The id of an interface and its methods with their ordinals, as the document has them.
fn described(interface: &str) -> (String, Vec<String>) {
    let names = names("");
    let methods: BTreeMap<u16, Vec<&str>> = names
        .iter()
        .map(|((_, ordinal), text)| (*ordinal, text.split(' ').collect::<Vec<_>>()))
        .filter(|(_, words)| words[0] == interface)
        .collect();
    let id = methods.values().next().unwrap()[3].to_owned();
    (id, methods.values().map(|words| format!("`{}` {}", words[2], words[1])).collect())
}

#[test]
fn the_document_has_ids_and_ordinals_of_what_is_for_others() {
    let document = read("doc/ipc.md");
    for interface in ["Init", "Echo", "Mining", "BlockTemplate", "Rpc", "ThreadMap", "Thread"] {
        let (id, methods) = described(interface);
        let row = format!("| `{interface}` | `{id}` | {} |", methods.join(", "));
        assert!(document.contains(&row), "doc/ipc.md has no line {row}");
    }
    let (id, methods) = described("Bootstrap");
    let row = format!("| `Introduction` | `{id}` | {} |", methods[1]);
    assert!(document.contains(&row), "doc/ipc.md has no line {row}");
}

#[test]
fn the_introduction_for_clients_is_that_of_our_own_processes() {
    let schemas = read("xtask/golden/schemas.txt");
    let of = |file: &str, scope: &str| -> Vec<String> {
        let start = format!("{file} {scope} ");
        schemas.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    };
    let (ours, clients) = ("schemas/bootstrap.capnp", "schemas/client/introduction.capnp");
    assert_eq!(of(clients, "Identity"), of(ours, "Identity"));
    assert_eq!(of(clients, "Introduction")[1], of(ours, "Bootstrap")[1]);
    let (id, _) = described("Bootstrap");
    assert!(read(clients).contains(&format!("interface Introduction @{id} ")));
}
