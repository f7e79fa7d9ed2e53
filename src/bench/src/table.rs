//! What was measured, printed a row at a time.

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// As with times.
    Less,
    /// As with rates.
    More,
}

/// A table with a column for each program.
pub struct Table {
    names: Vec<&'static str>,
}

impl Table {
    /// Prints the head.
    pub fn new(names: Vec<&'static str>) -> Table {
        let mut line = format!("{:<44}", "");
        for name in &names {
            line += &format!("{name:>14}");
        }
        println!("{line}   ratio to the last column (over 1 is better)");
        Table { names }
    }

    /// Prints a row. Ratios say how many times better than the last program each of the others is.
    pub fn row(&self, what: &str, unit: &str, better: Better, values: &[Option<f64>]) {
        let mut line = format!("{:<44}", format!("{what}, {unit}"));
        for value in values {
            line += &value.map_or(format!("{:>14}", "-"), |value| format!("{value:>14.*}", digits(value)));
        }
        if let [others @ .., Some(last)] = values {
            for (name, value) in self.names.iter().zip(others) {
                if let Some(value) = value {
                    let ratio = if better == Better::Less { last / value } else { value / last };
                    line += &format!("   {name} {ratio:.2}");
                }
            }
        }
        println!("{line}");
    }
}

/// Three digits that count.
fn digits(value: f64) -> usize {
    match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    }
}
