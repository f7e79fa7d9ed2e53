//! What was measured, printed a row at a time.

use std::cell::RefCell;
use std::collections::HashMap;

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
    /// What the last row of each name had.
    last: RefCell<HashMap<String, Vec<Option<f64>>>>,
}

impl Table {
    /// Prints the head.
    pub fn new(names: Vec<&'static str>) -> Table {
        let mut line = format!("{:<44}", "");
        for name in &names {
            line += &format!("{name:>14}");
        }
        println!("{line}   ratio to the last column (over 1 is better); with the longer chain to the shorter");
        Table { names, last: RefCell::default() }
    }

    /// Prints a row. Ratios say how many times better than the last program each of the others is, and how many times as much
    /// each value is as in the row of the same name before.
    pub fn row(&self, what: &str, unit: &str, better: Better, values: &[Option<f64>]) {
        let head = format!("{what}, {unit}");
        let mut line = format!("{head:<44}");
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
        if let Some(before) = self.last.borrow_mut().insert(head, values.to_vec()) {
            line += "   grown";
            for (now, before) in values.iter().zip(before) {
                line += &now.zip(before).map_or(" -".to_owned(), |(now, before)| format!(" {:.2}", now / before));
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
