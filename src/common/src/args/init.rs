//! The steps between command line and a usable data directory, in the order that decides which error is shown.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::paths::CONFIG_FILE;
use super::{Args, ArgsError, table};
use crate::chain::Chain;
use crate::settings::{self, Settings};

impl Args {
    /// Completes the options of a daemon: configuration files, chain, data directories, `settings.json`, and no words
    /// that are no options. Returns warnings, one line each, for standard error.
    ///
    /// New data directories get an empty `wallets` directory, so that wallets are never mixed with other files.
    pub fn init_config(&self) -> Result<Vec<String>, ArgsError> {
        let warnings = self.read_config_files()?;
        for directory in [self.datadir(), self.net_datadir()] {
            if !directory.exists() {
                let wallets = directory.join("wallets");
                fs::create_dir_all(&wallets)
                    .map_err(|error| ArgsError::CreateDir { path: wallets.display().to_string(), error })?;
            }
        }
        self.check_ignored_config()?;
        if let Some(path) = self.settings_path() {
            let dynamic = settings::read(&path).map_err(ArgsError::ReadSettings)?;
            for name in dynamic.keys() {
                if table::find(self.program, &super::key::Key::parse(name).name).is_none() {
                    log::warn!("Ignoring unknown rw_settings value {name}");
                }
            }
            settings::write(&path, &dynamic).map_err(ArgsError::WriteSettings)?;
            self.write().sources.dynamic = dynamic;
        }
        match self.words().into_iter().next() {
            Some(word) if self.program.takes_no_words() => Err(ArgsError::UnexpectedToken(word)),
            _ => Ok(warnings),
        }
    }

    /// Selects the chain: its section of configuration files and its directory count from now on.
    pub fn select_chain(&self, chain: Chain) {
        self.write().chain = Some(chain);
    }

    /// Refuses a data directory with a `bitcoin.conf` that is not the one that was read, unless told to go on.
    fn check_ignored_config(&self) -> Result<(), ArgsError> {
        let base = self.datadir();
        let unused = base.join(CONFIG_FILE);
        if !unused.exists() {
            return Ok(());
        }
        let quoted =
            |path: &Path| format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""));
        let Some(used) = self.config_file_path() else {
            log::info!(
                "Data directory {} contains a \"{CONFIG_FILE}\" file which is explicitly ignored using -noconf.",
                quoted(&base)
            );
            return Ok(());
        };
        if same_file(&used, &unused) {
            return Ok(());
        }
        let source = match self.read().sources.command_line.get("conf").and_then(|values| values.last()) {
            Some(Value::String(conf)) if !conf.is_empty() => format!("command line argument \"-conf={conf}\""),
            _ => {
                let original = self.read().original_datadir.clone().unwrap_or_else(|| base.clone());
                format!("data directory {}", quoted(&original))
            }
        };
        let (base, used) = (quoted(&base), quoted(&used));
        let mut text = format!(
            "Data directory {base} contains a \"{CONFIG_FILE}\" file which is ignored, because a different \
             configuration file {used} from {source} is being used instead. Possible ways to address this would be \
             to:\n- Delete or rename the \"{CONFIG_FILE}\" file in data directory {base}.\n- Change datadir= or conf= \
             options to specify one configuration file, not two, and use includeconf= to include any other \
             configuration files."
        );
        if self.get_bool("allowignoredconf") {
            // Bitcoin Core logs these lines as they are; software looks for them.
            crate::logging::log_line("", log::Level::Warn, file!(), line!(), module_path!(), "", &text);
            return Ok(());
        }
        text += "\n- Set allowignoredconf=1 option to treat this condition as a warning, not an error.";
        Err(ArgsError::IgnoredConfig(text))
    }

    /// Changes one dynamic setting and writes `settings.json`; `None` removes it. Without a settings file the change
    /// lasts as long as the process.
    pub fn update_setting(&self, name: &str, value: Option<Value>) -> Result<(), ArgsError> {
        self.update_setting_with(name, |_| value)
    }

    /// Changes one dynamic setting by its present value, with no other change in between.
    pub fn update_setting_with(
        &self,
        name: &str,
        change: impl FnOnce(Option<Value>) -> Option<Value>,
    ) -> Result<(), ArgsError> {
        let path = self.settings_path();
        let mut state = self.write();
        let mut dynamic: Settings = state.sources.dynamic.clone();
        match change(dynamic.remove(name)) {
            Some(value) => {
                dynamic.insert(name.to_owned(), value);
            }
            None => {
                dynamic.remove(name);
            }
        }
        if let Some(path) = path {
            settings::write(&path, &dynamic).map_err(ArgsError::WriteSettings)?;
        }
        state.sources.dynamic = dynamic;
        Ok(())
    }

    /// Returns one dynamic setting.
    pub fn dynamic_setting(&self, name: &str) -> Option<Value> {
        self.read().sources.dynamic.get(name).cloned()
    }

    /// Logs every option given and its source; the values of passwords and the like are left out.
    pub fn log_args(&self) {
        let state = self.read();
        let log = |prefix: &str, section: &str, values: &super::sources::Values| {
            let section = if section.is_empty() { String::new() } else { format!("[{section}] ") };
            for (name, values) in values {
                let Some(opt) = table::find(self.program, name) else { continue };
                for value in values {
                    let shown = if opt.sensitive { "****".to_owned() } else { value.to_string() };
                    log::info!("{prefix} {section}{name}={shown}");
                }
            }
        };
        for (section, values) in &state.sources.config {
            log("Config file arg:", section, values);
        }
        for (name, value) in &state.sources.dynamic {
            log::info!("Setting file arg: {name} = {value}");
        }
        log("Command-line arg:", "", &state.sources.command_line);
    }
}

/// Compares two paths as files; a path that is not there is no file.
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
