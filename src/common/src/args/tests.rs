//! Precedence and error texts of options.
