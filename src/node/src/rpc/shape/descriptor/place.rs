//! Which function may stand where in a descriptor, in Bitcoin Core's words where one may not. Separate because the library
//! that parses descriptors has words of its own for it, and reads the text without the keys the user wrote.

use super::DescriptorError;

/// What a function stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Sh,
    Wsh,
    Tr,
}

use Place::{Sh, Top, Tr, Wsh};

/// Functions, where they may stand, and what is said elsewhere; nothing where they may be miniscript.
const FUNCTIONS: &[(&[&str], &[Place], &str)] = &[
    (&["pk"], &[Top, Sh, Wsh, Tr], ""),
    (&["pkh"], &[Top, Sh, Wsh], ""),
    (&["combo"], &[Top], "Can only have combo() at top level"),
    (&["multi", "sortedmulti"], &[Top, Sh, Wsh], "Can only have multi/sortedmulti at top level, in sh(), or in wsh()"),
    (&["multi_a", "sortedmulti_a"], &[Tr], "Can only have multi_a/sortedmulti_a inside tr()"),
    (&["wpkh"], &[Top, Sh], "Can only have wpkh() at top level or inside sh()"),
    (&["sh"], &[Top], "Can only have sh() at top level"),
    (&["wsh"], &[Top, Sh], "Can only have wsh() at top level or inside sh()"),
    (&["addr"], &[Top], "Can only have addr() at top level"),
    (&["tr"], &[Top], "Can only have tr at top level"),
    (&["rawtr"], &[Top], "Can only have rawtr at top level"),
    (&["raw"], &[Top], "Can only have raw() at top level"),
];
/// Most keys of a multisig output that is not in a hash.
const MAX_BARE_KEYS: usize = 3;
/// Most keys of a multisig script.
const MAX_KEYS: usize = 20;
/// Most bytes of a script in a P2SH output.
const MAX_P2SH_SIZE: usize = 520;

/// Refuses what stands where it may not.
pub(super) fn check(text: &str) -> Result<(), DescriptorError> {
    check_in(text, Top)
}

fn check_in(text: &str, place: Place) -> Result<(), DescriptorError> {
    for (names, places, refusal) in FUNCTIONS {
        let Some((name, inside)) = names.iter().find_map(|name| Some((*name, inside(text, name)?))) else { continue };
        if !places.contains(&place) {
            return if refusal.is_empty() { Ok(()) } else { Err((*refusal).into()) };
        }
        return match name {
            "sh" => check_in(inside, Sh),
            "wsh" => check_in(inside, Wsh),
            "tr" => leaves(inside).try_for_each(|leaf| check_in(leaf, Tr)),
            _ => Ok(()),
        };
    }
    match place {
        Top => Err(DescriptorError(format!("'{text}' is not a valid descriptor function"))),
        Sh => Err("A function is needed within P2SH".into()),
        Wsh if !text.contains('(') && text != "0" && text != "1" => Err("A function is needed within P2WSH".into()),
        // Miniscript, of which the library knows more.
        Wsh | Tr => Ok(()),
    }
}

/// Returns what is between the parentheses of a function, if the text is one call of it.
fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')
}

/// Returns the scripts of `tr`, which come after its key.
fn leaves(inside: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0i32;
    let mut parts = inside.split(move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && matches!(c, ',' | '{' | '}')
    });
    let _key = parts.next();
    parts.filter(|part| !part.is_empty())
}

/// Refuses a multisig with too many keys, or a threshold they cannot reach.
pub(super) fn check_multisig(text: &str) -> Result<(), DescriptorError> {
    let bare = |text| inside(text, "multi").or(inside(text, "sortedmulti"));
    let (place, Some(arguments)) = (match inside(text, "sh").map(|inner| inside(inner, "wsh").ok_or(inner)) {
        Some(Ok(inner)) => (Wsh, bare(inner)),
        Some(Err(inner)) => (Sh, bare(inner)),
        None => match inside(text, "wsh") {
            Some(inner) => (Wsh, bare(inner)),
            None => (Top, bare(text)),
        },
    }) else {
        return Ok(());
    };
    let mut arguments = arguments.split(',');
    let threshold = arguments.next().unwrap_or_default();
    let keys: Vec<&str> = arguments.collect();
    let count = keys.len();
    let refuse = |text: String| Err(DescriptorError(text));
    let Some(required) = threshold.parse::<u32>().ok().filter(|_| !threshold.starts_with('+')) else {
        return refuse(format!("Multi threshold '{threshold}' is not valid"));
    };
    if !(1..=MAX_KEYS).contains(&count) {
        return refuse(format!(
            "Cannot have {count} keys in multisig; must have between 1 and {MAX_KEYS} keys, inclusive"
        ));
    }
    if required == 0 {
        return refuse("Multisig threshold cannot be 0, must be at least 1".to_owned());
    }
    if required as usize > count {
        return refuse(format!(
            "Multisig threshold cannot be larger than the number of keys; threshold is {required} but only {count} keys \
             specified"
        ));
    }
    if place == Top && count > MAX_BARE_KEYS {
        return refuse(format!("Cannot have {count} pubkeys in bare multisig; only at most {MAX_BARE_KEYS} pubkeys"));
    }
    // A key that is not compressed is written with 130 digits.
    let size = |key: &&str| if key.rsplit(']').next().is_some_and(|key| key.len() == 130) { 66 } else { 34 };
    let size = 3 + keys.iter().map(size).sum::<usize>();
    if place == Sh && size > MAX_P2SH_SIZE {
        return refuse(format!("P2SH script is too large, {size} bytes is larger than {MAX_P2SH_SIZE} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(check(text).err().map(|error| error.0).as_deref(), expected, "{text}");
        };
        for text in
            ["pk(A)", "sh(wsh(pkh(A)))", "wsh(and_v(v:pk(A),after(2)))", "tr(A)", "tr(A,{pk(B),{pk(C),multi_a(1,D)}})"]
        {
            check(text, None);
        }
        for text in ["wpkh(A", "foo(A)", "1234", "", "pk(A))x"] {
            check(text, Some(&format!("'{text}' is not a valid descriptor function")));
        }
        check("sh(sh(pkh(A)))", Some("Can only have sh() at top level"));
        check("wsh(wpkh(A))", Some("Can only have wpkh() at top level or inside sh()"));
        check("sh(A)", Some("A function is needed within P2SH"));
        check("wsh(A)", Some("A function is needed within P2WSH"));
        check("wsh(combo(A))", Some("Can only have combo() at top level"));
        check("wsh(multi_a(1,A))", Some("Can only have multi_a/sortedmulti_a inside tr()"));
        check("tr(A,{pk(B),multi(1,C)})", Some("Can only have multi/sortedmulti at top level, in sh(), or in wsh()"));
        check("sh(tr(A))", Some("Can only have tr at top level"));
    }

    #[test]
    fn multisigs() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(check_multisig(text).err().map(|error| error.0).as_deref(), expected, "{text}");
        };
        let keys = |count: usize| vec!["A"; count].join(",");
        check("multi(1,A)", None);
        check(&format!("wsh(sortedmulti(20,{}))", keys(20)), None);
        check(&format!("sh(multi(15,{}))", keys(15)), None);
        check("multi(x,A)", Some("Multi threshold 'x' is not valid"));
        check("multi(0,A)", Some("Multisig threshold cannot be 0, must be at least 1"));
        check(
            "wsh(multi(2,A))",
            Some(
                "Multisig threshold cannot be larger than the number of keys; threshold is 2 but only 1 keys specified",
            ),
        );
        check(&format!("multi(4,{})", keys(4)), Some("Cannot have 4 pubkeys in bare multisig; only at most 3 pubkeys"));
        check(
            &format!("sh(multi(16,{}))", keys(16)),
            Some("P2SH script is too large, 547 bytes is larger than 520 bytes"),
        );
        check(
            &format!("sh(wsh(multi(1,{})))", keys(21)),
            Some("Cannot have 21 keys in multisig; must have between 1 and 20 keys, inclusive"),
        );
    }
}
