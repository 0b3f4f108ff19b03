//! The URL of the log-in page, as plugins send browsers there.

/// What the page is to know. What is `None` is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoginUrl<'a> {
    pub client_id: Option<&'a str>,
    /// With blanks between them.
    pub scope: Option<&'a str>,
    pub callback_url: Option<&'a str>,
    /// Names that need no escaping, each with its value, or alone.
    pub parameters: &'a [(&'a str, Option<&'a str>)],
}

impl LoginUrl<'_> {
    /// `page` is the URL of the page itself.
    ///
    /// Clients of Glewlwyd know this text: without a client it begins `?&`, blanks are `+`, and digits of an escape are
    /// lower case.
    pub fn text(&self, page: &str) -> String {
        let mut url = format!("{page}?");
        if let Some(client_id) = self.client_id {
            url.push_str("client_id=");
            escape(&mut url, client_id);
        }
        let known = [("scope", self.scope), ("callback_url", self.callback_url)];
        let known = known.into_iter().filter(|(_, value)| value.is_some());
        for (name, value) in known.chain(self.parameters.iter().copied()) {
            url.push('&');
            url.push_str(name);
            if let Some(value) = value {
                url.push('=');
                escape(&mut url, value);
            }
        }
        url
    }
}

/// Whether a parameter may have this name.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn escape(url: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in value.bytes() {
        match byte {
            b' ' => url.push('+'),
            b'$' | b'-' | b'_' | b'.' | b'!' | b'*' | b'\'' | b'(' | b')' | b',' => {
                url.push(byte.into());
            }
            byte if byte.is_ascii_alphanumeric() => url.push(byte.into()),
            byte => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                url.extend(['%', DIGITS[high].into(), DIGITS[low].into()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://id.example/login.html";

    fn check(url: LoginUrl<'_>, query: &str) {
        assert_eq!(url.text(PAGE), format!("{PAGE}?{query}"));
    }

    #[test]
    fn parameters_come_in_their_order_and_only_those_that_are_there() {
        let parameters = [("prompt", Some("login")), ("refresh_login", None), ("x", Some(""))];
        let all = LoginUrl {
            client_id: Some("c 1"),
            scope: Some("openid g_profile"),
            callback_url: Some("https://id.example/api/oidc/auth?a=b&c=d"),
            parameters: &parameters,
        };
        check(
            all,
            "client_id=c+1&scope=openid+g_profile&callback_url=https%3a%2f%2fid.example%2fapi%2foidc%2fauth%3fa%3db%26c%3dd\
             &prompt=login&refresh_login&x=",
        );
        check(LoginUrl { client_id: Some("c"), ..LoginUrl::default() }, "client_id=c");
    }

    #[test]
    fn without_a_client_the_query_begins_with_an_ampersand() {
        check(LoginUrl { scope: Some("a"), ..LoginUrl::default() }, "&scope=a");
        check(LoginUrl::default(), "");
    }

    #[test]
    fn what_is_kept_is_kept_and_all_else_is_escaped_in_lower_case() {
        let kept = "azAZ09$-_.!*'(),";
        check(
            LoginUrl { client_id: Some(kept), ..LoginUrl::default() },
            &format!("client_id={kept}"),
        );
        let others = "~+/\"%é\r\n\u{0}";
        let escaped = "client_id=%7e%2b%2f%22%25%c3%a9%0d%0a%00";
        check(LoginUrl { client_id: Some(others), ..LoginUrl::default() }, escaped);
    }

    #[test]
    fn a_name_needs_no_escaping() {
        assert!(is_name("g_continue") && is_name("a.b-c"));
        for wrong in ["", "a b", "a=b", "a&b", "é", "a\r\nb", &"a".repeat(65)] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }
}
