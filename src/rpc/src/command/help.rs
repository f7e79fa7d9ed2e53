//! The help text of a command, laid out as Bitcoin Core does it, derived from the command's entry.

use super::result::Elision;
use super::{Arg, ArgType, Default, Res, ResType};

/// Returns an example call with the command line client.
#[macro_export]
macro_rules! example_cli {
    ($method:literal, $args:literal) => {
        concat!("> bitcoin-cli ", $method, " ", $args, "\n")
    };
}

/// Returns an example call over HTTP; `$args` is the inside of the JSON array.
#[macro_export]
macro_rules! example_rpc {
    ($method:literal, $args:literal) => {
        concat!(
            "> curl --user myusername --data-binary '{\"jsonrpc\": \"2.0\", \"id\": \"curltest\", \"method\": \"",
            $method,
            "\", \"params\": [",
            $args,
            "]}' -H 'content-type: application/json' http://127.0.0.1:8332/\n"
        )
    };
}

pub use crate::{example_cli, example_rpc};

/// Returns an example call with the command line client and named arguments.
#[macro_export]
macro_rules! example_cli_named {
    ($method:literal, $args:literal) => {
        concat!("> bitcoin-cli -named ", $method, " ", $args, "\n")
    };
}
pub use crate::example_cli_named;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outer {
    Top,
    Array,
    Object,
}

pub(super) fn text(name: &str, args: &[Arg], description: &str, results: &[Res], examples: &[&str]) -> String {
    let visible: Vec<&Arg> = args.iter().take_while(|arg| !arg.hidden).collect();
    let mut text = oneline(name, &visible);
    text += &format!("\n\n{}\n", description.trim());
    let mut positional = Sections::default();
    let mut named_only = Sections::default();
    for (at, arg) in visible.iter().enumerate() {
        positional.push(format!("{}. {}", at + 1, arg.name()), arg_description(arg, true));
        positional.push_arg(arg, 5, Outer::Top);
        if arg.kind == ArgType::ObjNamed {
            for inner in arg.inner {
                named_only.push(inner.name().to_owned(), arg_description(inner, true));
                named_only.push_arg(inner, 5, Outer::Top);
            }
        }
    }
    if !positional.rows.is_empty() {
        text += "\nArguments:\n";
        text += &positional.render();
    }
    if !named_only.rows.is_empty() {
        text += "\nNamed Arguments:\n";
        text += &named_only.render();
    }
    for result in results.iter().filter(|result| result.kind != ResType::Any) {
        text += &match result.condition {
            "" => "\nResult:\n".to_owned(),
            condition => format!("\nResult ({condition}):\n"),
        };
        let mut sections = Sections::default();
        sections.push_result(result, 0, Outer::Top);
        text += &sections.render();
    }
    if !examples.is_empty() {
        text += "\nExamples:\n";
        text += &examples.concat();
    }
    text
}

fn oneline(name: &str, args: &[&Arg]) -> String {
    let mut line = name.to_owned();
    let mut optional = false;
    for arg in args {
        match (optional, arg.is_optional()) {
            (false, true) => line += " (",
            (true, false) => line += " )",
            _ => {}
        }
        optional = arg.is_optional();
        line.push(' ');
        line += &arg_form(arg, true);
    }
    if optional {
        line += " )";
    }
    line
}

fn arg_form(arg: &Arg, oneline: bool) -> String {
    if oneline && !arg.oneline.is_empty() {
        return arg.oneline.to_owned();
    }
    match arg.kind {
        ArgType::Str | ArgType::StrHex => format!("\"{}\"", arg.name()),
        ArgType::Num | ArgType::Range | ArgType::Amount | ArgType::Bool => arg.name().to_owned(),
        ArgType::Obj | ArgType::ObjNamed | ArgType::ObjUserKeys => {
            let members: Vec<String> = arg.inner.iter().map(|inner| member_form(inner, oneline)).collect();
            let more = if arg.kind == ArgType::Obj { "" } else { ",..." };
            format!("{{{}{more}}}", members.join(","))
        }
        ArgType::Arr => {
            let elements: String = arg.inner.iter().map(|inner| arg_form(inner, oneline) + ",").collect();
            format!("[{elements}...]")
        }
    }
}

fn member_form(arg: &Arg, oneline: bool) -> String {
    let value = match arg.kind {
        ArgType::Str => "\"str\"".to_owned(),
        ArgType::StrHex => "\"hex\"".to_owned(),
        ArgType::Num => "n".to_owned(),
        ArgType::Range => "n or [n,n]".to_owned(),
        ArgType::Amount => "amount".to_owned(),
        ArgType::Bool => "bool".to_owned(),
        ArgType::Arr | ArgType::Obj | ArgType::ObjNamed | ArgType::ObjUserKeys => arg_form(arg, oneline),
    };
    format!("\"{}\":{}{value}", arg.name(), if oneline { "" } else { " " })
}

fn arg_description(arg: &Arg, named: bool) -> String {
    let kind = match (arg.type_str, arg.kind) {
        (Some((_, description)), _) => description,
        (None, ArgType::Str | ArgType::StrHex) => "string",
        (None, ArgType::Num) => "numeric",
        (None, ArgType::Amount) => "numeric or string",
        (None, ArgType::Range) => "numeric or array",
        (None, ArgType::Bool) => "boolean",
        (None, ArgType::Obj | ArgType::ObjNamed | ArgType::ObjUserKeys) => "json object",
        (None, ArgType::Arr) => "json array",
    };
    let fallback = match arg.default {
        Default::Hint(hint) => format!(", optional, default={hint}"),
        Default::Json(value) => format!(", optional, default={value}"),
        Default::Optional if named => ", optional".to_owned(),
        Default::Optional => String::new(),
        Default::Required => ", required".to_owned(),
    };
    let options = match arg.kind {
        ArgType::ObjNamed => " Options object that can be used to pass named arguments, listed below.",
        _ => "",
    };
    let space = if arg.help.is_empty() { "" } else { " " };
    format!("({kind}{fallback}){options}{space}{}", arg.help)
}

/// Rows of two columns; the right one starts four after the widest left one.
#[derive(std::default::Default)]
struct Sections {
    rows: Vec<(String, String)>,
}

impl Sections {
    fn push(&mut self, left: String, right: String) {
        self.rows.push((left, right));
    }

    fn push_arg(&mut self, arg: &Arg, indent: usize, outer: Outer) {
        let pad = " ".repeat(indent);
        let named = outer == Outer::Object;
        let key = if named { format!("\"{}\": ", arg.name()) } else { String::new() };
        let (open, close, inside) = match arg.kind {
            ArgType::Obj | ArgType::ObjUserKeys => ("{", "}", Outer::Object),
            ArgType::Arr => ("[", "]", Outer::Array),
            _ if outer == Outer::Top => return,
            _ => {
                let left = match arg.type_str {
                    Some((value, _)) if named => format!("{key}{value}"),
                    _ if named => member_form(arg, false),
                    _ => arg_form(arg, false),
                };
                return self.push(format!("{pad}{left},"), arg_description(arg, named));
            }
        };
        let right = if outer == Outer::Top { String::new() } else { arg_description(arg, named) };
        self.push(format!("{pad}{key}{open}"), right);
        for inner in arg.inner {
            self.push_arg(inner, indent + 2, inside);
        }
        if arg.kind != ArgType::Obj {
            self.push(format!("{pad}  ..."), String::new());
        }
        let separator = if outer == Outer::Top { "" } else { "," };
        self.push(format!("{pad}{close}{separator}"), String::new());
    }

    fn push_result(&mut self, result: &Res, indent: usize, outer: Outer) {
        let pad = " ".repeat(indent);
        let separator = if outer == Outer::Top { "" } else { "," };
        match result.elision {
            Elision::Shown => {}
            Elision::Skipped => return,
            Elision::Summary(text) => return self.push(format!("{pad}...{separator}"), text.to_owned()),
        }
        let key = if outer == Outer::Object { format!("\"{}\" : ", result.key) } else { String::new() };
        let describe = |kind: &str| {
            let optional = if result.optional { ", optional" } else { "" };
            let space = if result.help.is_empty() { "" } else { " " };
            format!("({kind}{optional}){space}{}", result.help)
        };
        let (value, kind) = match result.kind {
            ResType::Any => return,
            ResType::None => return self.push(format!("{pad}null{separator}"), describe("json null")),
            ResType::Str => ("\"str\"", "string"),
            ResType::StrHex => ("\"hex\"", "string"),
            ResType::Amount | ResType::Num => ("n", "numeric"),
            ResType::Time => ("xxx", "numeric"),
            ResType::Bool => ("true|false", "boolean"),
            ResType::Arr | ResType::ArrFixed => ("[", "json array"),
            ResType::Obj | ResType::ObjDyn if result.inner.is_empty() => {
                return self.push(format!("{pad}{key}{{}}"), describe("empty JSON object"));
            }
            ResType::Obj | ResType::ObjDyn => ("{", "json object"),
        };
        let (close, inside) = match value {
            "[" => ("]", Outer::Array),
            "{" => ("}", Outer::Object),
            _ => return self.push(format!("{pad}{key}{value}{separator}"), describe(kind)),
        };
        self.push(format!("{pad}{key}{value}"), describe(kind));
        for inner in result.inner {
            self.push_result(inner, indent + 2, inside);
        }
        let summarised = result.inner.last().is_some_and(|last| matches!(last.elision, Elision::Summary(_)));
        if result.kind == ResType::ObjDyn || (result.kind == ResType::Arr && !summarised) {
            self.push(format!("{pad}  ..."), String::new());
        } else if let Some((left, _)) = self.rows.last_mut() {
            // The last element has no comma after it.
            left.pop();
        }
        self.push(format!("{pad}{close}{separator}"), String::new());
    }

    fn render(&self) -> String {
        let width = self.rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0) + 4;
        let mut text = String::new();
        for (left, right) in &self.rows {
            if right.is_empty() {
                text += left;
                text.push('\n');
                continue;
            }
            let mut lines = right.split('\n');
            text += &format!("{left:width$}{}", lines.next().unwrap_or_default());
            let mut lines = lines.peekable();
            while let Some(line) = lines.next() {
                let line = line.trim_start_matches(' ');
                if line.is_empty() && lines.peek().is_none() {
                    text += &format!("\n{:width$}", "");
                    break;
                }
                text += &format!("\n{:width$}{line}", "");
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        static ARGS: &[Arg] = &[
            Arg::required("inputs", ArgType::Arr, "The inputs").inner(&[Arg::optional("", ArgType::Obj, "").inner(&[
                Arg::required("txid", ArgType::StrHex, "The transaction id"),
                Arg::required("vout", ArgType::Num, "The output number"),
            ])]),
            Arg::or("locktime|lock", ArgType::Num, "0", "Raw locktime.\nNon-0 also activates inputs"),
            Arg::optional("options", ArgType::ObjNamed, "").oneline("options").inner(&[Arg::new(
                "fee_rate",
                ArgType::Amount,
                Default::Hint("estimated"),
                "The rate",
            )]),
            Arg::optional("secret", ArgType::Num, "Not shown").hidden(),
        ];
        static RESULTS: &[Res] = &[
            Res::hex("", "The transaction").when("for verbose = false"),
            Res::obj(
                "",
                "",
                &[
                    Res::num("size", "The size"),
                    Res::arr("list", "Things", &[Res::amount("", "An amount")]).optional(),
                    Res::obj_dyn("map", "", &[Res::time("key", "When")]),
                ],
            ),
        ];
        let got = text("make", ARGS, "Makes.\n", RESULTS, &[example_cli!("make", "[]"), example_rpc!("make", "[]")]);
        expect_test::expect_file!["help_layout.txt"].assert_eq(&got);
    }
}
