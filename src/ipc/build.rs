//! Compiles the schemas and generates the glue between them and the interface traits.

#[path = "codegen.rs"]
mod codegen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::schemas::GOLDEN;

/// File id of mp/proxy.capnp, whose types the multiprocess crate has.
const PROXY: u64 = 0xcc31_6e3f_71a0_40fb;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                println!("cargo::error={error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, if it was one thing.
fn one(error: impl std::fmt::Display) -> Vec<String> {
    vec![error.to_string()]
}

/// Traits and schemas that are matched with each other, and what is made of them.
struct Pairing<'a> {
    schemas: &'a Path,
    traits: &'a Path,
    /// Path of the module with the schemas' types, in the crate that has the glue.
    home: &'a [&'a str],
    /// Name of the file with the glue.
    glue: &'a str,
}

fn run() -> Result<(), Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (schemas, traits) = (root.join("schemas"), root.join("src/interfaces/src"));
    let (probe, golden) = (Path::new("tests/probe"), root.join(GOLDEN));
    for watched in [&schemas, &traits, &golden, probe, Path::new("codegen"), Path::new("codegen.rs")] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    // Other people's programs call by the ordinals that are recorded.
    let changed = xtask::schemas::changed(&root).map_err(|error| one(format!("{error:#}")))?;
    if !changed.is_empty() {
        return Err(changed);
    }
    let compiler = xtask::find::capnp().map_err(|error| one(format!("{error:#}")))?.compiler;
    // For the tests of the generator, which compile schemas of their own.
    println!("cargo::rustc-env=IPC_CAPNP={}", compiler.display());

    let protocol = Pairing { schemas: &schemas, traits: &traits, home: &["schema"], glue: "glue.rs" };
    // What tests and benchmarks call; the library does not contain it.
    let probe = Pairing { schemas: probe, traits: probe, home: &["probe", "schema"], glue: "probe.rs" };
    [protocol, probe].iter().try_for_each(|pairing| generate(pairing, &compiler, &schemas))
}

/// Compiles schemas and generates the glue to their traits.
fn generate(pairing: &Pairing<'_>, compiler: &Path, imports: &Path) -> Result<(), Vec<String>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or_else(|| one("OUT_DIR is not set"))?);
    let request = out.join(pairing.glue).with_extension("bin");
    let mut command = capnpc::CompilerCommand::new();
    command
        .capnp_executable(compiler)
        .no_standard_import()
        .import_path(imports)
        // Has what `-> stream` refers to.
        .import_path(Path::new("../multiprocess/schema"))
        .src_prefix(pairing.schemas)
        .default_parent_module(pairing.home.iter().map(|&name| name.to_owned()).collect())
        .crate_provides("multiprocess", [PROXY])
        .raw_code_generator_request_path(&request);
    for file in files(pairing.schemas, "capnp").map_err(one)? {
        command.file(file);
    }
    command.run().map_err(one)?;

    let mut texts = Vec::new();
    for file in files(pairing.traits, "rs").map_err(one)? {
        let text = std::fs::read_to_string(&file).map_err(|error| one(format!("{}: {error}", file.display())))?;
        texts.push((file.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
    }
    let request = std::fs::read(&request).map_err(one)?;
    let glue = codegen::generate(&texts, &request, &format!("crate::{}", pairing.home.join("::")))?;
    std::fs::write(out.join(pairing.glue), glue).map_err(one)
}

/// The files of a directory with this ending, sorted.
fn files(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    Ok(files)
}
