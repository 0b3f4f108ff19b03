//! What a receiver says, and what becomes of the event then. Pure.

use std::time::{Duration, SystemTime};

use outboard_sdk::{HeaderMap, NotifyError, StatusCode, header};

/// Most of a receiver's words that an operator sees.
const MOST_SHOWN: usize = 200;

/// Longest wait that the host knows.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// It is HTML, so not what a program says to a program.
    pub is_page: bool,
    /// The beginning of its body, without the target's URL.
    pub text: String,
}

impl Answer {
    /// Delivered, later or never; `is_final` says which errors (4xx and 5xx) are for good.
    ///
    /// # Errors
    ///
    /// Unless it was delivered.
    pub fn judge(&self, is_final: impl Fn(StatusCode) -> bool) -> Result<(), NotifyError> {
        let status = self.status;
        if status.is_success() && !self.is_page {
            return Ok(());
        }
        if status.is_success() {
            let message = "the receiver answered with a web page; is that the right URL?";
            return Err(NotifyError::retry(message));
        }
        if status.is_redirection() {
            let message = format!("the receiver answered {status}; write the URL that it leads to");
            return Err(NotifyError::reject(message));
        }
        let message = self.words();
        if is_final(status) {
            return Err(NotifyError::reject(message));
        }
        let error = NotifyError::retry(message);
        Err(match self.retry_after {
            Some(wait) => error.after(wait),
            None => error,
        })
    }

    fn words(&self) -> String {
        let shown = printable(&self.text);
        let status = self.status;
        match shown.as_str() {
            "" => format!("the receiver answered {status} and said nothing"),
            shown => format!("the receiver answered {status}: {shown}"),
        }
    }
}

/// One line that a terminal can show.
pub fn printable(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").chars().take(MOST_SHOWN).collect()
}

/// Whether a status is no reason to give up: the receiver, or something on the way, has no time.
pub fn is_passing(status: StatusCode) -> bool {
    let busy = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || busy.contains(&status)
}

/// `Retry-After`, in seconds or as a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, text: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, retry_after: None, is_page: false, text: text.to_owned() }
    }

    #[test]
    fn success_is_delivered_a_redirect_never_and_a_web_page_maybe_later() {
        let never = |_| false;
        assert_eq!(answer(200, "ok").judge(never), Ok(()));
        assert_eq!(answer(204, "").judge(never), Ok(()));
        assert!(answer(302, "").judge(never).unwrap_err().is_final());
        let page = Answer { is_page: true, ..answer(200, "<html>") };
        assert!(!page.judge(never).unwrap_err().is_final());
    }

    #[test]
    fn an_error_says_something_on_one_line_and_not_too_much() {
        let words = |status, text: &str| answer(status, text).judge(|_| true).unwrap_err();
        let error = words(404, "no\u{1b}[31m such\r\n thing");
        assert_eq!(error.message(), "the receiver answered 404 Not Found: no [31m such thing");
        let error = words(503, " \n");
        let expected = "the receiver answered 503 Service Unavailable and said nothing";
        assert_eq!(error.message(), expected);
        assert!(words(500, &"x".repeat(5000)).message().len() < 300);
    }

    #[test]
    fn a_receivers_wait_is_kept_to_where_it_makes_sense() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("2", Some(2)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("99999999999", Some(24 * 3600)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let wait = Duration::from_secs(2);
        let busy = Answer { retry_after: Some(wait), ..answer(429, "") };
        let error = busy.judge(|status| !is_passing(status)).unwrap_err();
        assert_eq!((error.is_final(), error.retry_after()), (false, Some(wait)));
        for (status, passes) in [
            (400, false),
            (401, false),
            (408, true),
            (410, false),
            (425, true),
            (500, true),
            (599, true),
        ] {
            let error = answer(status, "").judge(|status| !is_passing(status)).unwrap_err();
            assert_eq!(!error.is_final(), passes, "{status}");
        }
    }
}
