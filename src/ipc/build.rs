//! Compiles the schemas and generates the glue between them and the interface traits.

#[path = "codegen.rs"]
mod codegen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

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

fn run() -> Result<(), Vec<String>> {
    let one = |error: String| vec![error];
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or_else(|| one("OUT_DIR is not set".to_owned()))?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (schemas, sources) = (root.join("schemas"), root.join("src/interfaces/src"));
    for watched in [&schemas, &sources, &PathBuf::from("codegen"), &PathBuf::from("codegen.rs")] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }

    let compiler = xtask::find::capnp().map_err(|error| one(format!("{error:#}")))?.compiler;
    // For the tests of the generator, which compile schemas of their own.
    println!("cargo::rustc-env=IPC_CAPNP={}", compiler.display());
    let request = out.join("request.bin");
    let mut command = capnpc::CompilerCommand::new();
    command
        .capnp_executable(compiler)
        .no_standard_import()
        .import_path(&schemas)
        .src_prefix(&schemas)
        .default_parent_module(vec!["schema".to_owned()])
        .crate_provides("multiprocess", [PROXY])
        .raw_code_generator_request_path(&request);
    for file in files(&schemas, "capnp").map_err(one)? {
        command.file(file);
    }
    command.run().map_err(|error| one(error.to_string()))?;

    let mut texts = Vec::new();
    for file in files(&sources, "rs").map_err(one)? {
        let text = std::fs::read_to_string(&file).map_err(|error| one(format!("{}: {error}", file.display())))?;
        texts.push((file.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
    }
    let request = std::fs::read(&request).map_err(|error| one(error.to_string()))?;
    let glue = codegen::generate(&texts, &request)?;
    std::fs::write(out.join("glue.rs"), glue).map_err(|error| one(error.to_string()))
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
