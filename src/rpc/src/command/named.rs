//! Turns named parameters into positional ones by a command's argument list.

use serde_json::{Map, Value};

use super::{Arg, ArgType};
use crate::RpcError;

/// Places the members of `named` at the positions of the arguments they name. Members of an
/// [`ArgType::ObjNamed`] argument are gathered into that object; `args` holds leading positional parameters.
pub(super) fn to_positional(named: &Map<String, Value>, args: &[Arg]) -> Result<Vec<Value>, RpcError> {
    let mut left = named.clone();
    let mut params: Vec<Value> = Vec::new();
    let mut hole = 0;
    let mut initial_hole = 0;
    let mut initial_param = None;
    for arg in args {
        let options = take_options(&mut left, arg)?;
        let given = take(&mut left, arg.names);
        if given.is_some() || !options.is_empty() {
            // Holes become nulls only before a parameter, never at the end: some commands count what they are given.
            params.extend(std::iter::repeat_n(Value::Null, hole));
            hole = 0;
            initial_param.get_or_insert(arg.names);
        } else {
            hole += 1;
            if params.is_empty() {
                initial_hole = hole;
            }
        }
        match (given, options.keys().next()) {
            (Some((name, _)), Some(option)) => {
                return Err(RpcError::invalid_parameter(format!("Parameter {name} conflicts with parameter {option}")));
            }
            (Some((_, value)), None) => params.push(value),
            (None, Some(_)) => params.push(Value::Object(options)),
            (None, None) => {}
        }
    }
    if let Some(Value::Array(positional)) = left.get("args") {
        if let Some(name) = initial_param.filter(|_| initial_hole < positional.len()) {
            return Err(RpcError::invalid_parameter(format!(
                "Parameter {name} specified twice both as positional and named argument"
            )));
        }
        let mut joined = positional.clone();
        joined.extend(params.into_iter().skip(positional.len()));
        params = joined;
        left.shift_remove("args");
    }
    match left.keys().next() {
        Some(name) => Err(RpcError::invalid_parameter(format!("Unknown named parameter {name}"))),
        None => Ok(params),
    }
}

fn take_options(left: &mut Map<String, Value>, arg: &Arg) -> Result<Map<String, Value>, RpcError> {
    let mut options = Map::new();
    if arg.kind != ArgType::ObjNamed {
        return Ok(options);
    }
    for inner in arg.inner {
        if let Some((name, value)) = take(left, inner.names)
            && options.insert(name.clone(), value).is_some()
        {
            return Err(RpcError::invalid_parameter(format!("Parameter {name} specified multiple times")));
        }
    }
    Ok(options)
}

fn take(left: &mut Map<String, Value>, names: &str) -> Option<(String, Value)> {
    names.split('|').find_map(|name| left.shift_remove_entry(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARGS: &[Arg] = &[
        Arg::required("a|first", ArgType::Num, ""),
        Arg::optional("b", ArgType::Num, ""),
        Arg::optional("options", ArgType::ObjNamed, "")
            .inner(&[Arg::optional("x", ArgType::Num, ""), Arg::optional("y|why", ArgType::Num, "")]),
        Arg::optional("d", ArgType::Num, ""),
    ];

    #[test]
    fn named_to_positional() {
        let check = |named: Value, expected: Result<Value, &str>| {
            let named = named.as_object().expect("an object");
            let got = to_positional(named, ARGS).map(Value::Array).map_err(|e| {
                assert_eq!(e.code, -8);
                e.message
            });
            assert_eq!(got, expected.map_err(str::to_owned));
        };
        check(json!({}), Ok(json!([])));
        check(json!({"a": 1}), Ok(json!([1])));
        check(json!({"first": 1}), Ok(json!([1])));
        check(json!({"b": 2}), Ok(json!([null, 2])));
        check(json!({"d": 4, "a": 1}), Ok(json!([1, null, null, 4])));
        check(json!({"x": 5, "a": 1}), Ok(json!([1, null, {"x": 5}])));
        check(json!({"why": 6}), Ok(json!([null, null, {"why": 6}])));
        check(json!({"options": {"x": 1}}), Ok(json!([null, null, {"x": 1}])));
        check(json!({"options": {"x": 1}, "x": 2}), Err("Parameter options conflicts with parameter x"));
        check(json!({"args": [1], "d": 4}), Ok(json!([1, null, null, 4])));
        check(json!({"args": [1, 2]}), Ok(json!([1, 2])));
        check(
            json!({"args": [1], "a": 4}),
            Err("Parameter a|first specified twice both as positional and named argument"),
        );
        check(
            json!({"args": [1, 2], "b": 4}),
            Err("Parameter b specified twice both as positional and named argument"),
        );
        check(json!({"args": 1}), Err("Unknown named parameter args"));
        check(json!({"z": 1}), Err("Unknown named parameter z"));
    }
}
