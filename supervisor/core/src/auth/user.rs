//! What an auth plugin says of somebody, and what of it is believed.

use std::fmt;

use outboard_proto::plugin::v1::authenticate_response::Result as Said;
use outboard_proto::plugin::v1::{AuthenticateResponse, RefusalReason, UserDetail};

use super::check_email;

/// The most groups of a user, and the most bytes of one's name.
const MOST_GROUPS: usize = 1000;
const LONGEST_GROUP: usize = 255;

/// The most characters of a name, and of what is said for operators; the rest is cut.
const LONGEST_NAME: usize = 256;
const LONGEST_MESSAGE: usize = 1024;

/// Somebody who has proved who they are, and is active. Only [`accept`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    pub name: String,
    /// As the plugin has it: the claimed one, but for the case of its letters.
    pub email: String,
    pub groups: Vec<String>,
}

/// Why somebody is not let in. Clients are only told that they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The plugin gives no reason that is known here.
    Unsaid,
    Token,
    /// Nobody has this e-mail: in a chain, the next one may know somebody.
    UnknownUser,
    /// The token is somebody else's, or the plugin answered with somebody else.
    OtherOwner,
    Inactive,
}

/// What an answer of an auth plugin comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted(User),
    /// With what the plugin says of it, for operators.
    Refused(Refusal, String),
    /// It says nothing that could be understood: nobody is let in, and it is the plugin's fault.
    Broken(&'static str),
}

/// Judges an answer to the question whether a token is that of the `claimed` e-mail.
pub fn answer(response: AuthenticateResponse, claimed: &str) -> Answer {
    match response.result {
        None => Answer::Broken("it answers with neither a user nor a refusal"),
        Some(Said::Refusal(refusal)) => {
            Answer::Refused(Refusal::from(refusal.reason()), cut(refusal.message, LONGEST_MESSAGE))
        }
        Some(Said::User(detail)) => match fault(&detail) {
            Some(fault) => Answer::Broken(fault),
            None => match accept(detail, claimed) {
                Ok(user) => Answer::Accepted(user),
                Err(refusal) => Answer::Refused(refusal, String::new()),
            },
        },
    }
}

/// Believes in a user only if it is the claimed one, and active.
///
/// # Errors
/// A blank e-mail, another one than claimed, or somebody who is not active.
pub fn accept(detail: UserDetail, claimed: &str) -> Result<User, Refusal> {
    let is_claimed = !detail.email.trim().is_empty() && detail.email.eq_ignore_ascii_case(claimed);
    if !is_claimed {
        return Err(Refusal::OtherOwner);
    }
    if !detail.active {
        return Err(Refusal::Inactive);
    }
    Ok(User { name: cut(detail.name, LONGEST_NAME), email: detail.email, groups: detail.groups })
}

/// What no honest plugin answers. A blank e-mail is not among it: that is somebody else's, and refused.
fn fault(detail: &UserDetail) -> Option<&'static str> {
    let is_name = |name: &String| {
        (1..=LONGEST_GROUP).contains(&name.len()) && !name.contains(char::is_control)
    };
    if !detail.email.is_empty() && check_email(&detail.email).is_err() {
        Some("it answers with an e-mail that is none")
    } else if detail.name.contains(char::is_control) {
        Some("it answers with a name that has control characters")
    } else if detail.groups.len() > MOST_GROUPS {
        Some("it answers with more than 1000 groups")
    } else if !detail.groups.iter().all(is_name) {
        Some(
            "it answers with a group whose name is empty, longer than 255 bytes or has control characters",
        )
    } else {
        None
    }
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        match reason {
            RefusalReason::Unspecified => Self::Unsaid,
            RefusalReason::Token => Self::Token,
            RefusalReason::User => Self::UnknownUser,
            RefusalReason::Owner => Self::OtherOwner,
            RefusalReason::Inactive => Self::Inactive,
        }
    }
}

/// For operators.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsaid => "refused without a reason",
            Self::Token => "the token is not valid",
            Self::UnknownUser => "nobody has this e-mail",
            Self::OtherOwner => "the token is not this user's",
            Self::Inactive => "the user is not active",
        })
    }
}

#[cfg(test)]
mod tests {
    use outboard_proto::plugin::v1;

    use super::*;

    fn detail() -> UserDetail {
        UserDetail {
            name: "Ann".into(),
            email: "ann@example.org".into(),
            active: true,
            groups: vec!["system".into()],
        }
    }

    fn says(detail: UserDetail) -> AuthenticateResponse {
        AuthenticateResponse { result: Some(Said::User(detail)) }
    }

    fn judged(detail: UserDetail) -> Answer {
        answer(says(detail), "ann@example.org")
    }

    #[test]
    fn the_claimed_and_active_user_is_accepted() {
        let Answer::Accepted(user) = judged(detail()) else { panic!() };
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Ann", "ann@example.org"));
        assert_eq!(user.groups, ["system"]);
        let other_case = UserDetail { email: "Ann@Example.org".into(), ..detail() };
        assert!(
            matches!(judged(other_case), Answer::Accepted(user) if user.email == "Ann@Example.org")
        );
    }

    #[test]
    fn a_blank_user_is_nobody() {
        for email in ["", "bob@example.org", "ann@example.org.evil.example"] {
            let refused = Answer::Refused(Refusal::OtherOwner, String::new());
            assert_eq!(judged(UserDetail { email: email.into(), ..detail() }), refused, "{email}");
        }
        assert_eq!(accept(UserDetail::default(), ""), Err(Refusal::OtherOwner));
        assert_eq!(
            accept(UserDetail { email: " ".into(), active: true, ..detail() }, " "),
            Err(Refusal::OtherOwner)
        );
    }

    #[test]
    fn letters_beyond_ascii_are_not_made_the_same() {
        let turkish = UserDetail { email: "\u{212a}@x".into(), ..detail() };
        assert_eq!(accept(turkish, "k@x"), Err(Refusal::OtherOwner));
    }

    #[test]
    fn a_user_that_is_not_active_is_refused_everywhere() {
        let inactive = UserDetail { active: false, ..detail() };
        assert_eq!(judged(inactive), Answer::Refused(Refusal::Inactive, String::new()));
    }

    #[test]
    fn a_refusal_keeps_its_reason() {
        let refusal = |reason: i32, message: &str| {
            let refusal = v1::Refusal { reason, message: message.to_owned() };
            answer(AuthenticateResponse { result: Some(Said::Refusal(refusal)) }, "ann@example.org")
        };
        assert_eq!(refusal(1, "old"), Answer::Refused(Refusal::Token, "old".into()));
        assert_eq!(refusal(2, ""), Answer::Refused(Refusal::UnknownUser, String::new()));
        assert_eq!(refusal(3, ""), Answer::Refused(Refusal::OtherOwner, String::new()));
        assert_eq!(refusal(4, ""), Answer::Refused(Refusal::Inactive, String::new()));
        assert_eq!(refusal(99, ""), Answer::Refused(Refusal::Unsaid, String::new()));
        let Answer::Refused(_, message) = refusal(1, &"é".repeat(2000)) else { panic!() };
        assert_eq!(message.chars().count(), 1024);
    }

    #[test]
    fn an_answer_that_is_none_lets_nobody_in() {
        let broken = |detail| assert!(matches!(judged(detail), Answer::Broken(_)));
        assert!(matches!(answer(AuthenticateResponse::default(), "a"), Answer::Broken(_)));
        broken(UserDetail { email: "ann@example.org\r\nX: y".into(), ..detail() });
        broken(UserDetail { email: "a".repeat(321), ..detail() });
        broken(UserDetail { name: "A\nB".into(), ..detail() });
        broken(UserDetail { groups: vec![String::new()], ..detail() });
        broken(UserDetail { groups: vec!["a\r\nb".into()], ..detail() });
        broken(UserDetail { groups: vec!["a".repeat(256)], ..detail() });
        broken(UserDetail { groups: vec!["a".into(); 1001], ..detail() });
    }

    #[test]
    fn a_long_name_is_cut() {
        let Answer::Accepted(user) = judged(UserDetail { name: "é".repeat(300), ..detail() })
        else {
            panic!()
        };
        assert_eq!(user.name.chars().count(), 256);
    }
}
