//! What a code looks like as a mail. Pure: a code and the time go in, a message comes out.

use std::time::SystemTime;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use crate::codes::Code;

/// What stands for the code in the operator's text.
pub(crate) const PLACE: &str = "{CODE}";

/// From whom, and in whose words.
pub(crate) struct Letters {
    pub(crate) from: Mailbox,
    pub(crate) subject: String,
    /// With [`PLACE`] in it.
    pub(crate) body: String,
}

impl Letters {
    /// The error does not hold the code.
    pub(crate) fn write(&self, to: &str, code: &Code, now: SystemTime) -> Result<Message, String> {
        // Only an address: what else stands there could be meant for somebody else.
        let to = to.parse().map_err(|_| "the user's e-mail is no address".to_owned())?;
        let id: u128 = rand::random();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(now)
            .subject(&self.subject)
            .message_id(Some(format!("<{id:032x}@{}>", self.from.email.domain())))
            .raw_header(automatic())
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.replace(PLACE, code.digits()));
        message.map_err(|_| "the code can't be written as a mail".to_owned())
    }
}

/// Out-of-office replies would only come back to nobody (RFC 3834).
fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

/// An address for those who know it anyway: `a…@example.org`.
pub(crate) fn masked(email: &str) -> String {
    let (name, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = name.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters() -> Letters {
        Letters {
            from: "Outboard <outboard@example.org>".parse().unwrap(),
            subject: "Your code".to_owned(),
            body: "Type {CODE}, and only {CODE}.".to_owned(),
        }
    }

    #[test]
    fn a_mail_holds_the_code_and_goes_to_the_user() {
        let code = Code::new(6);
        let message = letters().write("ann@example.org", &code, SystemTime::UNIX_EPOCH).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let digits = code.digits();
        assert!(text.ends_with(&format!("\r\n\r\nType {digits}, and only {digits}.")), "{text}");
        for field in
            ["To: ann@example.org\r\n", "Subject: Your code\r\n", "Auto-Submitted: auto-generated"]
        {
            assert!(text.contains(field), "{field} in {text}");
        }
        let to: Vec<String> = message.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["ann@example.org"]);
    }

    #[test]
    fn an_email_that_is_more_than_an_address_gets_nothing() {
        for email in [
            "",
            "ann",
            "ann@example.org\r\nBcc: eve@example.org",
            "ann@example.org, eve@example.org",
            "Ann <ann@example.org>",
            "ann@example.org>\r\nRCPT TO:<eve@example.org",
        ] {
            let refused = letters().write(email, &Code::new(6), SystemTime::UNIX_EPOCH);
            assert!(refused.is_err(), "{email:?}");
        }
    }

    #[test]
    fn an_address_is_masked() {
        assert_eq!(masked("ann.example@example.org"), "a…@example.org");
        assert_eq!(masked("ünal@example.org"), "ü…@example.org");
        assert_eq!(masked("nonsense"), "n…@");
    }
}
