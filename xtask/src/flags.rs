//! The command line, in one place.

use std::ffi::OsString;

xflags::xflags! {
    /// Builds, tests and checks the project.
    cmd xtask {
        /// Build the libraries and tools of depends/ (the front door is `make -C depends`).
        cmd depends {
            /// install, download, download-one, clean, clean-all or print.
            required target: String
            /// VARIABLE=value pairs, and the name for download-one and print.
            repeated words: OsString
        }
    }
}
