//! The canonical spelling of an output descriptor, which Bitcoin Core writes and from which it computes ids.
//!
//! Node and wallet parse descriptors each in its own way; both put the text into this form first, so that they cannot
//! print or store different spellings of one descriptor. Works on the text alone: keys and scripts are not checked, and
//! whatever is not understood stays as it is, for the parser to refuse.
//!
//! **Invariant:** the canonical form of a canonical form is itself, and it is never longer than the text it is made of,
//! so that private keys in it are never left behind by a growing buffer.

use std::iter::Peekable;
use std::str::CharIndices;

/// Deepest nesting that is rewritten; more than any valid descriptor has.
const MAX_DEPTH: usize = 400;

/// Returns the canonical form of a descriptor without checksum: numbers without leading zeros, fingerprints and hashes
/// in lower case, one mark of hardened steps for a key (the last one written), miniscript in its short forms (`pk` for
/// `c:pk_k`, `t:`, `l:`, `u:`, `and_n`). The spelling of keys, scripts and addresses themselves is left to the parser.
pub fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    match Node::parse(text) {
        Some(node) => node.write(Place::Top, &mut out),
        None => out.push_str(text),
    }
    out
}

/// What a part of a descriptor stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// Arguments of functions that are not scripts.
    Plain,
    /// Where miniscript may stand.
    Script,
}

/// A part of a descriptor. Names and atoms are slices of the text, so that no copy of a private key is made.
enum Node<'a> {
    Atom(&'a str),
    /// A function with its wrappers, without colon.
    Call {
        wrappers: &'a str,
        name: &'a str,
        arguments: Vec<Node<'a>>,
    },
    /// A branch of a script tree.
    Branch(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Reads a whole text. `None` if its brackets do not match.
    fn parse(text: &'a str) -> Option<Self> {
        let mut chars = text.char_indices().peekable();
        let node = Node::read(text, &mut chars, 0)?;
        chars.next().is_none().then_some(node)
    }

    fn read(text: &'a str, chars: &mut Peekable<CharIndices<'a>>, depth: usize) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        let start = chars.peek().map_or(text.len(), |(at, _)| *at);
        if chars.next_if(|(_, symbol)| *symbol == '{').is_some() {
            return Some(Node::Branch(Node::read_list(text, chars, '}', depth)?));
        }
        while chars.next_if(|(_, symbol)| !matches!(symbol, '(' | ')' | '{' | '}' | ',')).is_some() {}
        let end = chars.peek().map_or(text.len(), |(at, _)| *at);
        let atom = &text[start..end];
        if chars.next_if(|(_, symbol)| *symbol == '(').is_none() {
            return Some(Node::Atom(atom));
        }
        let (wrappers, name) = atom.split_once(':').unwrap_or(("", atom));
        // Two colons and an empty list of wrappers are not descriptor language.
        if name.contains(':') || atom.starts_with(':') {
            return None;
        }
        Some(Node::Call { wrappers, name, arguments: Node::read_list(text, chars, ')', depth)? })
    }

    fn read_list(text: &'a str, chars: &mut Peekable<CharIndices<'a>>, close: char, depth: usize) -> Option<Vec<Self>> {
        let mut list = Vec::new();
        loop {
            list.push(Node::read(text, chars, depth + 1)?);
            match chars.next()? {
                (_, ',') => {}
                (_, symbol) if symbol == close => return Some(list),
                _ => return None,
            }
        }
    }

    fn is_atom(&self, text: &str) -> bool {
        matches!(self, Node::Atom(atom) if *atom == text)
    }

    fn write(&self, place: Place, out: &mut String) {
        match self {
            Node::Atom(text) => out.push_str(text),
            Node::Branch(list) => write_list(list, ['{', '}'], out, |node, _, out| node.write(place, out)),
            Node::Call { .. } if place == Place::Script => self.write_script("", out),
            Node::Call { wrappers, name, arguments } => {
                write_wrappers(wrappers, out);
                write_call(name, arguments, out);
            }
        }
    }

    /// Writes miniscript after the wrappers that its short forms have gathered.
    fn write_script(&self, gathered: &str, out: &mut String) {
        let Node::Call { wrappers, name, arguments } = self else {
            write_wrappers(gathered, out);
            self.write(Place::Script, out);
            return;
        };
        let all = format!("{gathered}{wrappers}");
        match (*name, arguments.as_slice()) {
            ("and_v", [inner, last]) if last.is_atom("1") => inner.write_script(&(all + "t"), out),
            ("or_i", [first, inner]) if first.is_atom("0") => inner.write_script(&(all + "l"), out),
            ("or_i", [inner, last]) if last.is_atom("0") => inner.write_script(&(all + "u"), out),
            ("andor", [first, second, last]) if last.is_atom("0") => {
                write_wrappers(&all, out);
                out.push_str("and_n(");
                first.write_script("", out);
                out.push(',');
                second.write_script("", out);
                out.push(')');
            }
            ("pk_k" | "pk_h", _) if all.ends_with('c') => {
                write_wrappers(&all[..all.len() - 1], out);
                write_call(if *name == "pk_k" { "pk" } else { "pkh" }, arguments, out);
            }
            _ => {
                write_wrappers(&all, out);
                write_call(name, arguments, out);
            }
        }
    }
}

fn write_wrappers(wrappers: &str, out: &mut String) {
    if !wrappers.is_empty() {
        out.push_str(wrappers);
        out.push(':');
    }
}

fn write_list(
    list: &[Node<'_>],
    [open, close]: [char; 2],
    out: &mut String,
    write: impl Fn(&Node<'_>, usize, &mut String),
) {
    out.push(open);
    for (number, node) in list.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write(node, number, out);
    }
    out.push(close);
}

/// Writes a function; which of its arguments are numbers, hashes, keys and scripts depends on its name.
fn write_call(name: &str, arguments: &[Node<'_>], out: &mut String) {
    out.push_str(name);
    write_list(arguments, ['(', ')'], out, |node, number, out| match (name, number, node) {
        ("after" | "older" | "thresh" | "multi" | "sortedmulti" | "multi_a" | "sortedmulti_a", 0, Node::Atom(text)) => {
            out.push_str(number_text(text));
        }
        ("sha256" | "hash256" | "ripemd160" | "hash160", 0, Node::Atom(text)) if is_hex(text) => {
            out.extend(text.chars().map(|digit| digit.to_ascii_lowercase()));
        }
        ("pk" | "pkh" | "pk_k" | "pk_h" | "wpkh" | "combo" | "tr" | "rawtr", 0, Node::Atom(text))
        | ("multi" | "sortedmulti" | "multi_a" | "sortedmulti_a", _, Node::Atom(text)) => write_key(text, out),
        ("wsh", ..) | ("tr", 1, _) => node.write(Place::Script, out),
        ("and_v" | "and_b" | "and_n" | "or_b" | "or_c" | "or_d" | "or_i" | "andor" | "thresh", ..) => {
            node.write(Place::Script, out);
        }
        _ => node.write(Place::Plain, out),
    });
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Cuts leading zeros off; what is not a number stays as it is.
fn number_text(text: &str) -> &str {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    match text.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    }
}

/// Writes a key expression: lower-case fingerprint, steps without leading zeros, all hardened steps marked as the last.
fn write_key(text: &str, out: &mut String) {
    let (origin, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((origin, rest)) => (Some(origin), rest),
        None => (None, text),
    };
    let (key, path) = rest.split_once('/').map_or((rest, None), |(key, path)| (key, Some(path)));
    let (fingerprint, origin_path) = match origin.map(|origin| origin.split_once('/').unwrap_or((origin, ""))) {
        Some((fingerprint, path)) => (Some(fingerprint), (origin != Some(fingerprint)).then_some(path)),
        None => (None, None),
    };
    let (steps, star) = match path.map(|path| path.rsplit_once('/').unwrap_or(("", path))) {
        Some((steps, star @ ("*" | "*h" | "*'"))) => (steps, star),
        _ => (path.unwrap_or_default(), ""),
    };
    let valid = fingerprint.is_none_or(|fingerprint| fingerprint.len() == 8 && is_hex(fingerprint));
    if !valid || key.contains(['[', ']']) {
        out.push_str(text);
        return;
    }
    // The mark of the varying step counts for less than those of the steps before it.
    let mark = [origin_path.unwrap_or_default(), star, steps].into_iter().filter_map(last_mark).next_back();
    if let Some(fingerprint) = fingerprint {
        out.push('[');
        out.extend(fingerprint.chars().map(|digit| digit.to_ascii_lowercase()));
        write_path(origin_path, mark, out);
        out.push(']');
    }
    out.push_str(key);
    write_path(path, mark, out);
}

/// Mark of the last hardened step of a path.
fn last_mark(path: &str) -> Option<char> {
    path.split(['/', ';', '<', '>'])
        .filter_map(|step| step.chars().next_back())
        .rfind(|last| matches!(last, '\'' | 'h'))
}

fn write_path(path: Option<&str>, mark: Option<char>, out: &mut String) {
    let Some(path) = path else { return };
    out.push('/');
    for step in path.split_inclusive(['/', ';', '<', '>']) {
        let (step, delimiter) = match step.strip_suffix(['/', ';', '<', '>']) {
            Some(inner) => (inner, &step[inner.len()..]),
            None => (step, ""),
        };
        match step.strip_suffix(['\'', 'h']) {
            Some(digits) => {
                out.push_str(number_text(digits));
                out.extend(mark);
            }
            None => out.push_str(number_text(step)),
        }
        out.push_str(delimiter);
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let once = canonical(text);
        assert_eq!(once, expected, "{text}");
        assert_eq!(canonical(&once), once, "{text}");
        assert!(once.len() <= text.len(), "{text}");
    }

    /// Each pair is what Bitcoin Core's `getdescriptorinfo` makes of a text, with short words in place of keys.
    #[test]
    fn texts_become_those_of_core() {
        check("pkh([AABBCCDD/01]K)", "pkh([aabbccdd/1]K)");
        check("pkh([aabbccdd]K)", "pkh([aabbccdd]K)");
        check("pkh([aabbccdd/1'/2h]X/01/*)", "pkh([aabbccdd/1h/2h]X/1/*)");
        check("pkh([AABBCCDD/1h/2']X/1/*)", "pkh([aabbccdd/1'/2']X/1/*)");
        check("pkh([aabbccdd/1h]X/1/*')", "pkh([aabbccdd/1']X/1/*')");
        check("pkh([aabbccdd/1']X/1/*h)", "pkh([aabbccdd/1h]X/1/*h)");
        check("pkh(X/1'/2h/*)", "pkh(X/1h/2h/*)");
        check("pkh(X/1h/2'/*)", "pkh(X/1'/2'/*)");
        check("pkh(X/1h/2/*')", "pkh(X/1h/2/*h)");
        check("pkh(X/1'/2/*h)", "pkh(X/1'/2/*')");
        check("pkh(X/<00;01>/*)", "pkh(X/<0;1>/*)");
        check("pkh(X/<0';01h>/000)", "pkh(X/<0h;1h>/0)");
        check("multi(01,K)", "multi(1,K)");
        check("sh(wsh(sortedmulti(02,[AABBCCDD]K,X/07)))", "sh(wsh(sortedmulti(2,[aabbccdd]K,X/7)))");
        check("wsh(and_v(v:pk(K),sha256(E3AB)))", "wsh(and_v(v:pk(K),sha256(e3ab)))");
        check("wsh(and_v(v:pk(K),after(010)))", "wsh(and_v(v:pk(K),after(10)))");
        check("wsh(thresh(01,pk(K),s:pk(L)))", "wsh(thresh(1,pk(K),s:pk(L)))");
        check("wsh(c:pk_k(K))", "wsh(pk(K))");
        check("wsh(and_v(vc:pk_k(K),1))", "wsh(tv:pk(K))");
        check("wsh(andor(pk(K),older(5),0))", "wsh(and_n(pk(K),older(5)))");
        check("wsh(and_v(v:pk(K),or_i(0,older(05))))", "wsh(and_v(v:pk(K),l:older(5)))");
        check("wsh(and_v(v:pk(K),or_i(older(5),0)))", "wsh(and_v(v:pk(K),u:older(5)))");
        check("wsh(or_i(pk(K),0))", "wsh(u:pk(K))");
        check("wsh(or_d(pk(K),c:pk_h(L)))", "wsh(or_d(pk(K),pkh(L)))");
        check("wsh(c:or_i(pk_k(K),pk_h(L)))", "wsh(c:or_i(pk_k(K),pk_h(L)))");
        check(
            "tr(K,{c:pk_k(L),and_v(v:pk([AABBCCDD]M),hash160(AB))})",
            "tr(K,{pk(L),and_v(v:pk([aabbccdd]M),hash160(ab))})",
        );
    }

    #[test]
    fn what_is_not_understood_stays() {
        let deep = "(".repeat(100_000);
        for text in [
            "",
            "raw(AB51)",
            "addr(x)",
            "pkh(",
            "pkh(K))",
            "pkh([AABBCCD/1]K)",
            "pkh([AABBCCDX]K)",
            "pkh([aabbccdd/]K)",
            "pkh(]X[/0)",
            "wsh(a:b:pk(K))",
            "wsh(:pk(K))",
            "wsh(multi(+1,K))",
            "sh(c:pk_k(K))",
            "pkh(\u{1F600}/*)",
            "tr(K,{a,b)",
            &deep,
        ] {
            check(text, text);
        }
    }
}
