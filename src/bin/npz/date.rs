//! Dates and times as NumPy prints them.

use npzmap::{DatetimeUnit, TimeUnit};

/// What stands for no date and no time.
pub(crate) const NAT: i64 = i64::MIN;

/// An ISO date, as exact as its unit. Where NumPy's 64 bits overflow, these do as well.
pub(crate) fn date(count: i64, unit: Option<DatetimeUnit>) -> String {
    let Some(unit) = unit else { return count.to_string() }; // NumPy refuses them
    let count = count.wrapping_mul(unit.multiple().into());
    // Units in a second, and digits behind its point.
    let (per_second, digits) = match unit.base() {
        TimeUnit::Year => return format!("{:04}", count.wrapping_add(1970)),
        TimeUnit::Month => return format!("{:04}-{:02}", 1970 + count.div_euclid(12), count.rem_euclid(12) + 1),
        TimeUnit::Week => return day(count.wrapping_mul(7)),
        TimeUnit::Day => return day(count),
        TimeUnit::Hour => return format!("{}T{:02}", day(count.div_euclid(24)), count.rem_euclid(24)),
        TimeUnit::Minute => {
            let minute = count.rem_euclid(1440);
            return format!("{}T{:02}:{:02}", day(count.div_euclid(1440)), minute / 60, minute % 60);
        }
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (10_i64.pow(3), 3),
        TimeUnit::Microsecond => (10_i64.pow(6), 6),
        TimeUnit::Nanosecond => (10_i64.pow(9), 9),
        TimeUnit::Picosecond => (10_i64.pow(12), 12),
        TimeUnit::Femtosecond => (10_i64.pow(15), 15),
        TimeUnit::Attosecond => (10_i64.pow(18), 18),
    };
    let (seconds, rest) = (count.div_euclid(per_second), count.rem_euclid(per_second));
    let second = seconds.rem_euclid(86_400);
    let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let fraction = if digits > 0 { format!(".{rest:0digits$}") } else { String::new() };
    format!("{}T{time}{fraction}", day(seconds.div_euclid(86_400)))
}

/// The date of a day since 1970-01-01, in the Gregorian calendar.
fn day(days: i64) -> String {
    // NumPy counts from 2000-01-01.
    const TO_2000: i64 = 10_957;
    let days = i128::from(days.wrapping_sub(TO_2000)) + i128::from(TO_2000);
    // Years begin in March, so that the leap day is their last; eras are 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, january) = (day - (153 * month + 2) / 5 + 1, month >= 10);
    let (month, year) = (if january { month - 9 } else { month + 3 }, year + era * 400 + i128::from(january));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `5 seconds`, as NumPy prints a duration alone.
pub(crate) fn duration(count: i64, unit: Option<DatetimeUnit>) -> String {
    let name = match unit.map(DatetimeUnit::base) {
        None => "generic time units",
        Some(TimeUnit::Year) => "years",
        Some(TimeUnit::Month) => "months",
        Some(TimeUnit::Week) => "weeks",
        Some(TimeUnit::Day) => "days",
        Some(TimeUnit::Hour) => "hours",
        Some(TimeUnit::Minute) => "minutes",
        Some(TimeUnit::Second) => "seconds",
        Some(TimeUnit::Millisecond) => "milliseconds",
        Some(TimeUnit::Microsecond) => "microseconds",
        Some(TimeUnit::Nanosecond) => "nanoseconds",
        Some(TimeUnit::Picosecond) => "picoseconds",
        Some(TimeUnit::Femtosecond) => "femtoseconds",
        Some(TimeUnit::Attosecond) => "attoseconds",
    };
    let count = count.wrapping_mul(unit.map_or(1, DatetimeUnit::multiple).into());
    format!("{count} {name}")
}
