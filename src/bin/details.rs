//! What `-version` says about the build. Included by every program, because the variables are those its own build
//! script set (`build_details.rs`).

/// Returns commit, date, compiler and target; the first word is the commit.
pub fn text() -> String {
    format!(
        "{} {} rustc {} {} opt-level {}",
        option_env!("VERGEN_GIT_SHA").unwrap_or("unk"),
        option_env!("VERGEN_GIT_COMMIT_DATE").unwrap_or("unknown date"),
        option_env!("VERGEN_RUSTC_SEMVER").unwrap_or("unknown"),
        option_env!("VERGEN_CARGO_TARGET_TRIPLE").unwrap_or("unknown target"),
        option_env!("VERGEN_CARGO_OPT_LEVEL").unwrap_or("unknown"),
    )
}
