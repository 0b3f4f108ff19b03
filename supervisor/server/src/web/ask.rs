//! What the log-in page is asked for: the keys of its URL, and the same URL with some of them settled.

use form_urlencoded::{Serializer, parse};
use outboard_core::identity::scope;

/// The key of a profile's URL whose value is the question of a log-in that waits for what is set up there.
pub(super) const WAITING: &str = "login";
/// Longer URLs are cut by the gateway already.
const MOST_PAIRS: usize = 100;

/// A question in a log-in URL. Keys that it does not know are kept, so that nothing is lost on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask(Vec<(String, String)>);

/// What a page is to show, whatever the session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The password, even if it was given.
    Login,
    Consent,
    SelectAccount,
    /// Ask for the code of a device.
    Device,
    DeviceCodeError,
    DeviceComplete,
    DeviceServerError,
    EndSession,
}

impl Ask {
    pub(super) fn of(query: &str) -> Self {
        Self(parse(query.as_bytes()).into_owned().take(MOST_PAIRS).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    pub(super) fn callback_url(&self) -> Option<&str> {
        self.get("callback_url")
    }

    pub(super) fn client_id(&self) -> Option<&str> {
        self.get("client_id")
    }

    /// The scopes, each once.
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut names = scope::names(self.get("scope").unwrap_or_default());
        names.truncate(scope::MOST_ASKED);
        names
    }

    /// The first one that is known; OpenID Connect allows a list.
    pub(super) fn prompt(&self) -> Option<Prompt> {
        let mut words = self.get("prompt").unwrap_or_default().split_ascii_whitespace();
        let said = words.find_map(|word| {
            Some(match word {
                "login" => Prompt::Login,
                "consent" => Prompt::Consent,
                "select_account" => Prompt::SelectAccount,
                "device" => Prompt::Device,
                "deviceCodeError" => Prompt::DeviceCodeError,
                "deviceComplete" => Prompt::DeviceComplete,
                "deviceServerError" => Prompt::DeviceServerError,
                "end_session" | "single_logout" => Prompt::EndSession,
                _ => return None,
            })
        });
        let is_anew = self.has("refresh_login") && self.get("refresh_login") != Some("false");
        said.or(is_anew.then_some(Prompt::Login))
    }

    /// The same question once these prompts were followed.
    #[must_use]
    pub(super) fn settled(&self, followed: &[&str]) -> Self {
        let prompt = self.get("prompt").unwrap_or_default();
        let left: Vec<_> =
            prompt.split_ascii_whitespace().filter(|word| !followed.contains(word)).collect();
        let ask = self.without(&["prompt", "refresh_login", "scheme"]);
        if left.is_empty() { ask } else { ask.with("prompt", &left.join(" ")) }
    }

    /// The same question, with another prompt.
    #[must_use]
    pub(super) fn with_prompt(&self, prompt: &str) -> Self {
        self.without(&["prompt", "refresh_login", "scheme"]).with("prompt", prompt)
    }

    #[must_use]
    pub(super) fn with(&self, key: &str, value: &str) -> Self {
        let mut ask = self.without(&[key]);
        ask.0.push((key.to_owned(), value.to_owned()));
        ask
    }

    #[must_use]
    pub(super) fn without(&self, keys: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
        Self(kept.cloned().collect())
    }

    /// Nothing but these keys of it.
    #[must_use]
    pub(super) fn only(&self, keys: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        Self(kept.cloned().collect())
    }

    /// To be kept in another URL.
    pub(super) fn query(&self) -> String {
        self.url("").trim_start_matches('?').to_owned()
    }

    /// Behind a path.
    pub(super) fn url(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.0);
        format!("{path}?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_log_in_url_are_read() {
        let ask = Ask::of("client_id=c%201&&scope=a+b++a&callback_url=https%3A%2F%2Fh%2F&x=y");
        assert_eq!(ask.client_id(), Some("c 1"));
        assert_eq!(ask.scopes(), ["a", "b"]);
        assert_eq!(ask.callback_url(), Some("https://h/"));
        assert_eq!(ask.prompt(), None);
        assert_eq!(Ask::of("client_id=").client_id(), None, "empty is nothing");
        assert!(Ask::of("").scopes().is_empty());
        let many: Vec<_> = (0..300).map(|n| n.to_string()).collect();
        assert_eq!(Ask::of(&format!("scope={}", many.join("+"))).scopes().len(), 100);
    }

    #[test]
    fn a_prompt_is_one_that_is_known() {
        let check = |query: &str, expected: Option<Prompt>| {
            assert_eq!(Ask::of(query).prompt(), expected, "{query}");
        };
        check("prompt=login", Some(Prompt::Login));
        check("prompt=login+consent", Some(Prompt::Login));
        check("prompt=none+consent", Some(Prompt::Consent));
        check("prompt=whatever", None);
        check("refresh_login", Some(Prompt::Login));
        check("refresh_login=true", Some(Prompt::Login));
        check("refresh_login=false", None);
        check("prompt=select_account&refresh_login", Some(Prompt::SelectAccount));
        check("prompt=single_logout", Some(Prompt::EndSession));
    }

    #[test]
    fn what_was_followed_is_not_asked_for_again_and_the_rest_is_kept() {
        let ask = Ask::of("prompt=login&scope=a+b&x=%26%3D&refresh_login&scheme=s");
        assert_eq!(ask.settled(&["login"]).url("/l"), "/l?scope=a+b&x=%26%3D");
        let both = Ask::of("prompt=login+consent&refresh_login");
        assert_eq!(both.settled(&["login", "select_account"]).url("l"), "l?prompt=consent");
        assert_eq!(ask.with_prompt("consent").url("l"), "l?scope=a+b&x=%26%3D&prompt=consent");
        assert_eq!(Ask::default().url("/login.html"), "/login.html");
        assert_eq!(Ask::of(&ask.query()), ask);
        assert_eq!(ask.only(&["x"]).url("/l"), "/l?x=%26%3D");
        let kept = Ask::default().with(WAITING, &ask.query());
        assert_eq!(Ask::of(Ask::of(&kept.query()).get(WAITING).unwrap()), ask);
    }
}
