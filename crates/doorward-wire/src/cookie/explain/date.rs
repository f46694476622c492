//! Dates as `Expires` writes them, read as every user agent must (section 5.1.1).

/// Seconds since 1970 of a cookie-date, before it if negative; `None` if it is none.
///
/// The day of the week and the time zone are not read at all: every cookie-date is in UTC.
///
/// ```
/// use doorward_wire::cookie::explain::parse_date;
/// assert_eq!(parse_date(b"Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
/// assert_eq!(parse_date(b"tomorrow"), None);
/// ```
#[must_use]
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)) {
        // In this order: a token that could be a time is never a day, and a day never a year.
        if time.is_none() && read_time(token, &mut time)
            || day.is_none() && read_number(token, 2, &mut day)
            || month.is_none() && read_month(token, &mut month)
        {
            continue;
        }
        if year.is_none() && token.get(1).is_some_and(u8::is_ascii_digit) {
            read_number(token, 4, &mut year);
        }
    }
    let (hour, minute, second) = time?;
    let year = match year? {
        short @ 70..=99 => short + 1900,
        short @ 0..=69 => short + 2000,
        long => long,
    };
    let (day, month) = (day?, month?);
    let in_range = year >= 1601 && hour <= 23 && minute <= 59 && second <= 59;
    let exists = (1..=days_in(month, year)).contains(&day);
    let seconds = hour * 3600 + minute * 60 + second;
    (in_range && exists).then(|| days_since_1970(year, month, day) * 86_400 + seconds)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2F | 0x3B..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E)
}

/// One to `most` digits at the start, and what follows if that is no digit.
fn leading_number(token: &[u8], most: usize) -> Option<(i64, &[u8])> {
    let count = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=most).contains(&count) {
        return None;
    }
    let (digits, rest) = token.split_at(count);
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Some((value, rest))
}

fn read_number(token: &[u8], most: usize, number: &mut Option<i64>) -> bool {
    *number = leading_number(token, most).map(|(value, _)| value);
    number.is_some()
}

fn read_time(token: &[u8], time: &mut Option<(i64, i64, i64)>) -> bool {
    let field = |token| leading_number(token, 2);
    *time = field(token).and_then(|(hour, rest)| {
        let (minute, rest) = field(rest.strip_prefix(b":")?)?;
        let (second, _) = field(rest.strip_prefix(b":")?)?;
        Some((hour, minute, second))
    });
    time.is_some()
}

fn read_month(token: &[u8], month: &mut Option<i64>) -> bool {
    const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let start = token.get(..3).map(<[u8]>::to_ascii_lowercase);
    let found = start.and_then(|start| MONTHS.chunks(3).position(|month| month == start));
    *month = found.and_then(|at| i64::try_from(at + 1).ok());
    month.is_some()
}

fn days_in(month: i64, year: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar: years begin in March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = year * 365 + year / 4 - year / 100 + year / 400;
    let of_months = (153 * month + 2) / 5;
    of_years + of_months + day - 1 - 719_468
}
