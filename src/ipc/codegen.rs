//! Generates the glue between the interface traits and the schemas.
//!
//! Input is the source of the `interfaces` crate (read with syn) and the compiled schemas (Cap'n Proto's
//! CodeGeneratorRequest); output is one Rust file with, for every interface that names a trait, its method table, a
//! client that implements the trait, a server that calls it, and the conversions of the types in between.
//!
//! Names are matched `snake_case` to `camelCase`. **Invariant:** whatever one side has and the other lacks is an error
//! that names both; nothing is skipped.

#[path = "codegen/containers.rs"]
pub mod containers;
#[path = "codegen/emit.rs"]
pub mod emit;
#[path = "codegen/matching.rs"]
pub mod matching;
#[path = "codegen/methods.rs"]
pub mod methods;
#[path = "codegen/native.rs"]
pub mod native;
#[path = "codegen/schema.rs"]
pub mod schema;
#[path = "codegen/streams.rs"]
pub mod streams;
#[path = "codegen/types.rs"]
pub mod types;

/// Generates the glue, or says where traits and schemas differ.
///
/// `sources` are the Rust files of the `interfaces` crate with their names, `request` is what `capnp compile -o-` wrote,
/// `home` the path of the module with capnpc's types.
pub fn generate(sources: &[(String, String)], request: &[u8], home: &str) -> Result<String, Vec<String>> {
    let native = native::parse(sources).map_err(|error| vec![error])?;
    let schema =
        schema::load(request, home).map_err(|error| vec![format!("cannot read the compiled schemas: {error}")])?;
    let mut glue = emit::Glue::new(&native, &schema);
    glue.run();
    glue.finish()
}

/// `maxFee` for `max_fee`.
pub fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &capital(word))
}

/// `max_fee` for `maxFee`, the way capnpc spells it.
pub fn snake(camel: &str) -> String {
    let mut text = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// `Word` for `word`.
pub fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// `word` for `Word`.
pub fn uncapital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}
