//! Where somebody goes when the pages are done with them, and for whom.

use outboard_core::identity::client::Client;
use outboard_core::identity::return_url::{Places, ReturnUrl};
use serde_json::Value;
use url::Url;

use super::ask::Ask;
use super::{PROFILE, Site};
use crate::identity::Failure;
use crate::plugin::snapshot::Absent;

/// What a client has registered, by what it is for.
const FOR_LOG_IN: &[&str] = &["redirect_uri"];
const FOR_LOG_OUT: &[&str] =
    &["post_logout_redirect_uris", "post_logout_redirect_uri", "redirect_uri"];

/// The way of one visit.
pub(super) struct Way {
    /// None: nowhere in particular.
    pub to: Option<ReturnUrl>,
    pub client: Option<Client>,
}

/// Why there is no way.
pub(super) enum Blocked {
    Nowhere,
    Failed(Failure),
}

impl From<Failure> for Blocked {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Way {
    pub(super) async fn in_of(site: &Site, ask: &Ask) -> Result<Self, Blocked> {
        Self::of(site, ask, ask.callback_url(), FOR_LOG_IN).await
    }

    pub(super) async fn out_of(site: &Site, ask: &Ask) -> Result<Self, Blocked> {
        let url = ask.get("post_redirect_to").or(ask.callback_url());
        Self::of(site, ask, url, FOR_LOG_OUT).await
    }

    async fn of(
        site: &Site,
        ask: &Ask,
        url: Option<&str>,
        properties: &[&str],
    ) -> Result<Self, Blocked> {
        let client = match ask.client_id() {
            Some(id) => client(site, id).await?,
            None => None,
        };
        let registered = client.as_ref().map(|it| registered(it, properties)).unwrap_or_default();
        let places = Places {
            external_url: &site.external,
            prefix: &site.prefix,
            pages: &[PROFILE],
            is_enabled: &|instance| !matches!(site.routes.enter(instance), Err(Absent::Unknown)),
            registered: &registered,
        };
        let to = url.map(|url| places.judge(url)).transpose().map_err(|_| Blocked::Nowhere)?;
        Ok(Self { to, client })
    }

    /// Where the browser goes in the end, and how that is called.
    pub(super) fn end(&self, site: &Site) -> (String, String) {
        match &self.to {
            Some(to) => (to.done().into_owned(), self.name().unwrap_or_else(|| to.shown())),
            None => (site.path(PROFILE), "your profile".to_owned()),
        }
    }

    /// Where the browser goes when somebody has refused what the client asked for, and how that is called.
    pub(super) fn denied(&self) -> Option<(String, String)> {
        let to = self.to.as_ref()?;
        Some((to.denied()?, self.name().unwrap_or_else(|| to.shown())))
    }

    /// Where the client is, for people.
    pub(super) fn place(&self) -> Option<String> {
        let registered = registered(self.client.as_ref()?, FOR_LOG_IN);
        place(&registered, self.to.as_ref())
    }

    /// The client's, for people.
    pub(super) fn name(&self) -> Option<String> {
        let client = self.client.as_ref()?;
        let name = client.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        Some(name.unwrap_or(client.id.as_str()).to_owned())
    }
}

/// One of the URLs that a client has registered: the one that a plugin is to send the browser to in the end, as far as
/// the query says so, or else the first.
fn place(registered: &[String], to: Option<&ReturnUrl>) -> Option<String> {
    let asked = match to {
        Some(ReturnUrl::Instance(url)) => {
            url.query_pairs().find(|(key, _)| key == "redirect_uri").map(|(_, value)| value)
        }
        _ => None,
    };
    let asked = asked.and_then(|asked| registered.iter().find(|it| **it == asked));
    let url = Url::parse(asked.or(registered.first())?).ok()?;
    Some(url.host_str().unwrap_or(url.scheme()).to_owned())
}

/// One that is unknown or disabled has nothing to say here; its plugin is who tells it so.
async fn client(site: &Site, id: &str) -> Result<Option<Client>, Failure> {
    match site.identity.clients().get(id).await {
        Ok(client) => Ok(Some(client).filter(|client| client.enabled)),
        Err(Failure::NotFound | Failure::Invalid(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn registered(client: &Client, properties: &[&str]) -> Vec<String> {
    let values = properties.iter().filter_map(|name| client.properties.get(*name));
    let texts = values.flat_map(|value| match value {
        Value::Array(values) => values.iter().collect(),
        other => vec![other],
    });
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_which_of_the_clients_places_is_meant() {
        let registered = ["https://a.example/cb", "https://b.example/cb", "org.example.c:/cb"];
        let registered = registered.map(str::to_owned);
        let check = |asked: &str, expected: &str| {
            let mut url = Url::parse("https://here.example/api/oidc/auth").unwrap();
            url.query_pairs_mut().append_pair("redirect_uri", asked);
            let to = ReturnUrl::Instance(url);
            assert_eq!(place(&registered, Some(&to)).as_deref(), Some(expected), "{asked}");
        };
        check("https://b.example/cb", "b.example");
        check("org.example.c:/cb", "org.example.c");
        check("https://evil.example/cb", "a.example");
        assert_eq!(place(&registered, None).as_deref(), Some("a.example"));
        assert_eq!(place(&[], None), None);
    }
}
