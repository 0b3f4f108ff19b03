//! Somebody with a browser that has no scripts: it keeps cookies, and sends forms as they are in the page.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::supervisor::{Supervisor, http::Reply};

/// What goes into a query or a form as it is.
const PLAIN: &str = "-._~";

#[derive(Clone)]
pub(crate) struct Person<'a> {
    pub supervisor: &'a Supervisor<'a>,
    pub cookies: BTreeMap<String, String>,
    /// Whole lines, for each request.
    pub headers: String,
}

/// A page.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub status: u16,
    pub html: String,
    reply: Reply,
}

/// A form of a page.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub action: String,
    pub hidden: Vec<(String, String)>,
}

impl<'a> Person<'a> {
    pub(crate) fn new(supervisor: &'a Supervisor<'a>) -> Self {
        Self { supervisor, cookies: BTreeMap::new(), headers: String::new() }
    }

    /// The page at a path, whatever it is.
    pub(crate) fn open(&mut self, path: &str) -> Result<Seen> {
        self.ask("GET", path, "")
    }

    /// The page that redirections lead to.
    pub(crate) fn go(&mut self, path: &str) -> Result<Seen> {
        let seen = self.open(path)?;
        self.follow(seen)
    }

    /// Where redirections of the host's own lead.
    pub(crate) fn follow(&mut self, mut seen: Seen) -> Result<Seen> {
        for _ in 0..5 {
            let Some(to) = seen.location() else { return Ok(seen) };
            let Some(path) = self.own(&to) else { return Ok(seen) };
            seen = self.open(&path)?;
        }
        bail!("redirected for ever: {seen:?}")
    }

    /// Fills in the form that has such a hidden field, and sends it. What comes is not followed.
    pub(crate) fn send(
        &mut self,
        seen: &Seen,
        which: (&str, &str),
        filled: &[(&str, &str)],
    ) -> Result<Seen> {
        let form = seen.form(which)?;
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<_> = hidden.chain(filled.iter().copied()).collect();
        self.post(&form.action, &fields)
    }

    /// The same, and goes where that leads.
    pub(crate) fn fill(
        &mut self,
        seen: &Seen,
        which: (&str, &str),
        filled: &[(&str, &str)],
    ) -> Result<Seen> {
        let seen = self.send(seen, which, filled)?;
        self.follow(seen)
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Seen> {
        let pairs =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        self.ask("POST", path, &pairs.collect::<Vec<_>>().join("&"))
    }

    /// Signs in with the name and the password, at the page that is asked for.
    pub(crate) fn sign_in(&mut self, path: &str, username: &str, password: &str) -> Result<Seen> {
        let page = self.go(path)?;
        let fields = [("username", username), ("password", password)];
        self.fill(&page, ("step", "password"), &fields)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Seen> {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<_> = cookies.collect();
        let mut headers = self.headers.clone();
        if !cookies.is_empty() {
            headers += "cookie: ";
            headers += &cookies.join("; ");
            headers += "\r\n";
        }
        if !body.is_empty() {
            headers.push_str("content-type: application/x-www-form-urlencoded\r\n");
        }
        let reply = self.supervisor.request(method, path, &headers, body)?;
        self.keep(&reply)?;
        Ok(Seen { status: reply.status, html: reply.text(), reply })
    }

    fn keep(&mut self, reply: &Reply) -> Result<()> {
        let set = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        for (_, line) in set {
            let (name, rest) = line.split_once('=').context("no cookie")?;
            let value = rest.split(';').next().unwrap_or_default();
            if line.contains("Max-Age=0;") || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    /// The path of a URL that leads to this host's pages.
    fn own(&self, url: &str) -> Option<String> {
        let origin = format!("http://{}", self.supervisor.address);
        let path = url.strip_prefix(&origin).unwrap_or(url);
        (path.starts_with('/') && !path.starts_with("/api/")).then(|| path.to_owned())
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.reply.header(name)
    }

    pub(crate) fn location(&self) -> Option<String> {
        self.header("location").map(str::to_owned)
    }

    /// Where the page sends the browser by itself, if it does.
    pub(crate) fn sends_to(&self) -> Option<String> {
        let refresh = self.header("refresh")?;
        refresh.strip_prefix("0;url=").map(str::to_owned)
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// Itself, if it has such a title and status.
    #[track_caller]
    pub(crate) fn is(self, status: u16, title: &str) -> Result<Self> {
        let found = between(&self.html, "<h1>", "</h1>").unwrap_or_default();
        let found = found.split(" <span").next().unwrap_or_default().to_owned();
        ensure!(
            (self.status, found.as_str()) == (status, title),
            "{} {found:?} instead of {status} {title:?}: {}",
            self.status,
            self.html
        );
        Ok(self)
    }

    /// Where the link of this text leads.
    pub(crate) fn link(&self, text: &str) -> Result<String> {
        let mut links = self.html.split("<a ").skip(1);
        let is_it = |link: &&str| between(link, ">", "</a>").is_some_and(|it| it == text);
        let link = links.find(is_it).and_then(|link| attribute(link, "href"));
        link.with_context(|| format!("no link {text:?}: {}", self.html))
    }

    pub(crate) fn form(&self, (name, value): (&str, &str)) -> Result<Form> {
        let forms = self.html.split("<form ").skip(1);
        let mut forms = forms.filter_map(|form| Form::of(form.split("</form>").next()?));
        let has = |form: &Form| {
            form.hidden
                .iter()
                .any(|(key, known)| key == name && (value.is_empty() || known == value))
        };
        forms.find(has).with_context(|| format!("no form with {name}={value}: {}", self.html))
    }
}

impl Form {
    fn of(html: &str) -> Option<Self> {
        let inputs = html.split("<input ").skip(1);
        let hidden = inputs.filter(|input| input.starts_with("type=\"hidden\""));
        let hidden = hidden
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        let hidden: Vec<_> = hidden.collect();
        Some(Self { action: attribute(html, "action")?, hidden })
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.hidden.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn attribute(html: &str, name: &str) -> Option<String> {
    between(html, &format!("{name}=\""), "\"").map(decode)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// What stands for characters in an attribute.
fn decode(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    entities
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

pub(crate) fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || PLAIN.contains(char::from(byte)) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}
