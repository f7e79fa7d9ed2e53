//! Dates in ISO 8601, as log lines and RPC results print them.

/// Formats Unix seconds as `2009-01-03T18:15:05Z`.
pub fn iso8601(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Formats Unix seconds as `2009-01-03`.
pub fn iso8601_date(seconds: i64) -> String {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Converts days since 1970-01-01 to year, month and day of the proleptic Gregorian calendar, counting years from
/// March so that the leap day is the last of its year, in cycles of 400 years (146097 days).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |seconds: i64, expected: &str| assert_eq!(iso8601(seconds), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(1_231_006_505, "2009-01-03T18:15:05Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(4_102_444_799, "2099-12-31T23:59:59Z");
        check(-1, "1969-12-31T23:59:59Z");
        check(1_709_210_096, "2024-02-29T12:34:56Z");
        assert_eq!(iso8601_date(1_317_425_777), "2011-09-30");
    }
}
