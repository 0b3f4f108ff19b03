//! Times as the database has them, in milliseconds since 1970.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// As the system has it; nothing that is kept is older than 1970.
pub(crate) fn time(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

/// As messages have it.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    time(ms).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_milliseconds_and_none_is_before_1970() {
        let at = |seconds, nanos| Timestamp { seconds, nanos };
        assert_eq!(timestamp(1_700_000_000_999), at(1_700_000_000, 999_000_000));
        assert_eq!(timestamp(-1), at(0, 0));
    }
}
