//! Pages that say one thing: what went wrong, or that something is done.

use minijinja::context;
use serde::Serialize;

use super::answer::Answer;
use super::form::Unreadable;
use super::reply::Page;
use super::visit::Visit;
use super::{PROFILE, Site};
use crate::identity::Failure;

/// Where a page offers to go.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Link {
    pub url: String,
    pub text: &'static str,
}

pub(super) fn bad(title: &str, text: &str, links: &[Link]) -> Page {
    message("bad", title, text, links).status(400)
}

pub(super) fn good(title: &str, text: &str, links: &[Link]) -> Page {
    message("good", title, text, links)
}

/// There is more to be done, and nobody has made a mistake.
pub(super) fn on(title: &str, text: &str, links: &[Link]) -> Page {
    message("on", title, text, links)
}

/// Sends the browser on, and says so to those whose browser does not go by itself.
pub(super) fn going_on(url: &str, to: &str) -> Page {
    sending("One moment", &format!("You are being sent on to {to}."), url)
}

/// Sends the browser back to whoever asked for what somebody has refused.
pub(super) fn going_back(url: &str, to: &str) -> Page {
    let text = format!("{to} gets no access to your account. You are being sent back to it.");
    sending("Not allowed", &text, url)
}

/// Sends the browser back to the log-in that waited for something to be set up.
pub(super) fn set_up(url: &str) -> Page {
    sending("It is set up", "You are being sent back to your log-in.", url)
}

fn sending(title: &str, text: &str, url: &str) -> Page {
    let links = [Link { url: url.to_owned(), text: "Continue" }];
    message("on", title, text, &links).going_on(url)
}

fn message(kind: &str, title: &str, text: &str, links: &[Link]) -> Page {
    Page::new("message.html", context! { kind, title, texts => [text], links })
}

/// What a question to the host ended with that nobody has an answer for.
pub(super) fn failure(site: &Site, failure: &Failure) -> Answer {
    let links = [Link { url: site.path(PROFILE), text: "Your profile" }];
    let page = match failure {
        Failure::NotFound => {
            bad("Not found", "There is no such thing, or no longer.", &links).status(404)
        }
        Failure::Unauthorized => bad("Not allowed", "You may not do this.", &links).status(403),
        Failure::Invalid(errors) => bad("That did not work", &errors.join("; "), &links),
        Failure::ReadOnly(text) | Failure::Conflict(text) => {
            bad("That did not work", text, &links).status(409)
        }
        Failure::Limited { retry_after } => bad("Too many attempts", &limited(failure), &[])
            .status(429)
            .retry_after(Some(*retry_after)),
        Failure::Unavailable(_) => {
            bad("Not now", "This can't be done at the moment. Please try again later.", &[])
                .status(503)
        }
    };
    page.into()
}

pub(super) fn limited(failure: &Failure) -> String {
    let Failure::Limited { retry_after } = failure else { return String::new() };
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    match seconds {
        0 | 1 => "There were too many attempts. Please try again in a second.".to_owned(),
        2..120 => format!("There were too many attempts. Please try again in {seconds} seconds."),
        _ => {
            let minutes = seconds.div_ceil(60);
            format!("There were too many attempts. Please try again in {minutes} minutes.")
        }
    }
}

/// A page of somebody else's has sent the form.
pub(super) fn foreign(site: &Site) -> Answer {
    let links = [Link { url: site.path(PROFILE), text: "Your profile" }];
    let text = "Another page tried to do something here in your name. It was not done.";
    bad("Not done", text, &links).status(403).into()
}

/// The form is of a page that was shown before a log-in or log-out, or the browser keeps no cookies.
pub(super) fn stale(site: &Site, visit: &Visit) -> Answer {
    let links = [Link { url: visit.ask.url(&site.path(&site.login)), text: "Try again" }];
    let text =
        "This page was open for too long, or your browser keeps no cookies. Nothing was done.";
    bad("Please try again", text, &links).status(403).into()
}

pub(super) fn unreadable(_: &Site, unreadable: Unreadable) -> Answer {
    bad("That did not work", "What your browser has sent can't be read.", &[])
        .status(unreadable.status())
        .into()
}

/// The `callback_url` leads to nowhere that is known.
pub(super) fn nowhere() -> Answer {
    let text = "The application that sent you here wants you to go on to an address that is not known here. \
        Please go back, and tell those who run it.";
    bad("This link is not safe to follow", text, &[]).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        let check = |seconds: u64, expected: &str| {
            let text = limited(&Failure::Limited { retry_after: Duration::from_secs(seconds) });
            assert!(text.ends_with(expected), "{text}");
        };
        check(0, "in a second.");
        check(59, "in 59 seconds.");
        check(121, "in 3 minutes.");
    }
}
