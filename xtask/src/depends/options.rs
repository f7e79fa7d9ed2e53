//! A run's variables, under the names Bitcoin Core's `depends` gave them. Separate so that the front door, build scripts
//! and tests set them in one way.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::host;

/// What a run was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The clone's top directory.
    pub root: PathBuf,
    /// `HOST`: the machine to build for.
    pub host: String,
    /// `BUILD`: the machine that builds.
    pub build: String,
    /// `SOURCES_PATH`: where source files are kept.
    pub sources: PathBuf,
    /// `BASE_CACHE`: where built packages are kept; outside the clone it gives a fresh clone a warm start.
    pub cache: PathBuf,
    /// `FALLBACK_DOWNLOAD_PATH`: an address (or directory) with every source file, asked last.
    pub fallback: Option<String>,
    /// `MULTIPROCESS`: build what the split programs need.
    pub multiprocess: bool,
    /// `NO_QT`: leave out what the GUI needs.
    pub no_qt: bool,
    /// `NO_WALLET`: leave out what the wallet needs.
    pub no_wallet: bool,
    /// `NO_ZMQ`: leave out what ZeroMQ notifications need.
    pub no_zmq: bool,
    /// `DEBUG`: build without optimisation and with debugging information.
    pub debug: bool,
    /// `LOG`: keep each package's build log under the work directory even when it succeeds.
    pub log: bool,
    /// `JOBS`: how many compilers run at once.
    pub jobs: usize,
    /// `DEPENDS_YES`: install missing system packages without asking.
    pub yes: bool,
    /// Whether missing system packages may be installed at all. Build scripts may not.
    pub may_install: bool,
    /// Print nothing but errors.
    pub quiet: bool,
}

impl Options {
    /// The defaults for the clone at `root`.
    ///
    /// # Errors
    /// When this machine is of a kind that has no name here.
    pub fn new(root: &Path) -> Result<Options> {
        let machine = host::this_machine()?;
        let depends = root.join("depends");
        Ok(Options {
            root: root.to_path_buf(),
            host: machine.clone(),
            build: machine,
            sources: depends.join("sources"),
            cache: depends.join("built"),
            fallback: None,
            multiprocess: false,
            no_qt: false,
            no_wallet: false,
            no_zmq: false,
            debug: false,
            log: false,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            yes: false,
            may_install: false,
            quiet: false,
        })
    }

    /// Takes the caches and the job count from the environment, where the variables are set.
    pub fn take_environment(&mut self) {
        for name in ["SOURCES_PATH", "BASE_CACHE", "FALLBACK_DOWNLOAD_PATH"] {
            if let Ok(value) = std::env::var(name) {
                // These three accept any value.
                let _ = self.set(name, &value);
            }
        }
        // Cargo tells build scripts how many jobs they may use.
        if let Some(jobs) = std::env::var("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok()).filter(|jobs| *jobs > 0) {
            self.jobs = jobs;
        }
    }

    /// Sets a variable by its name on the command line. An empty value leaves the default.
    ///
    /// # Errors
    /// When there is no such variable or the value is not one it takes.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        let truth = value != "0";
        match name {
            "HOST" => self.host = host::canonical(self, value)?,
            "BUILD" => self.build = host::canonical(self, value)?,
            "SOURCES_PATH" => self.sources = self.absolute(value),
            "BASE_CACHE" => self.cache = self.absolute(value),
            "FALLBACK_DOWNLOAD_PATH" => self.fallback = Some(value.to_owned()),
            "MULTIPROCESS" => self.multiprocess = truth,
            "NO_QT" => self.no_qt = truth,
            "NO_WALLET" => self.no_wallet = truth,
            "NO_ZMQ" => self.no_zmq = truth,
            "DEBUG" => self.debug = truth,
            "LOG" => self.log = truth,
            "DEPENDS_YES" => self.yes = truth,
            "JOBS" => {
                self.jobs = value
                    .parse()
                    .ok()
                    .filter(|jobs| *jobs > 0)
                    .with_context(|| format!("JOBS is {value}, which is not a number of jobs"))?;
            }
            _ => bail!("there is no variable {name}"),
        }
        Ok(())
    }

    /// A variable's value by its name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let truth = |value: bool| if value { "1".to_owned() } else { String::new() };
        Some(match name {
            "HOST" => self.host.clone(),
            "BUILD" => self.build.clone(),
            "SOURCES_PATH" => self.sources.display().to_string(),
            "BASE_CACHE" => self.cache.display().to_string(),
            "FALLBACK_DOWNLOAD_PATH" => self.fallback.clone().unwrap_or_default(),
            "MULTIPROCESS" => truth(self.multiprocess),
            "NO_QT" => truth(self.no_qt),
            "NO_WALLET" => truth(self.no_wallet),
            "NO_ZMQ" => truth(self.no_zmq),
            "DEBUG" => truth(self.debug),
            "LOG" => truth(self.log),
            "JOBS" => self.jobs.to_string(),
            "PREFIX" | "host_prefix" => self.prefix().display().to_string(),
            _ => return None,
        })
    }

    /// Whether a recipe's condition holds.
    ///
    /// # Errors
    /// When there is no such condition.
    pub fn holds(&self, condition: &str) -> Result<bool> {
        Ok(match condition {
            "multiprocess" => self.multiprocess,
            "qt" => !self.no_qt,
            "wallet" => !self.no_wallet,
            "zmq" => !self.no_zmq,
            "cross" => self.host != self.build,
            _ => bail!("there is no condition {condition}"),
        })
    }

    /// `depends/` in the clone.
    #[must_use]
    pub fn depends_dir(&self) -> PathBuf {
        self.root.join("depends")
    }

    /// Where the recipes are.
    #[must_use]
    pub fn packages_dir(&self) -> PathBuf {
        self.depends_dir().join("packages")
    }

    /// Where a package's patches are.
    #[must_use]
    pub fn patches_dir(&self, package: &str) -> PathBuf {
        self.depends_dir().join("patches").join(package)
    }

    /// Where packages are unpacked and built. Not shared with other clones.
    #[must_use]
    pub fn work_dir(&self) -> PathBuf {
        self.depends_dir().join("work")
    }

    /// Where the result goes.
    #[must_use]
    pub fn prefix(&self) -> PathBuf {
        self.depends_dir().join(&self.host)
    }

    fn absolute(&self, value: &str) -> PathBuf {
        // Relative paths are relative to depends/, where `make -C depends` runs.
        self.depends_dir().join(value)
    }
}
