//! The bundled schemes, and the mock as one that means no good, in a real supervisor: users register them, prove who they
//! are by them, and deregister, on both databases.

mod authenticator;
mod browser;
mod email_code;
mod mock;
mod otp;
mod webauthn;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::Supervisor;
use e2e::supervisor::api::Client;
use e2e::supervisor::http::Reply;
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

const PASSWORD: &str = "a password of users";

/// Where the pages are, as far as keys know.
const ORIGIN: &str = "https://login.example.org";

/// An instance of kind scheme that is called like its plugin, which may keep things.
fn scheme(plugin: &str, parameters: &str) -> String {
    format!(
        "[[plugin]]\nname = \"{plugin}\"\ngrants.callbacks = [\"storage\"]\n\
         [[instance]]\nplugin = \"{plugin}\"\nname = \"{plugin}\"\nkind = \"scheme\"\n\
         [instance.parameters]\n{parameters}\n"
    )
}

/// With that plugin and that scheme of it.
fn prepare(stage: &mut Stage, plugin: &str, parameters: &str) -> Result<()> {
    stage.install(plugin)?;
    stage.set("OUTBOARD_EXTERNAL_URL", ORIGIN);
    stage.configure(&scheme(plugin, parameters))
}

/// Makes a scope that the scheme is good for, without a password, and users who have it, and gives the administrator.
fn people<'a>(supervisor: &'a Supervisor<'_>, plugin: &str, names: &[&str]) -> Result<Client<'a>> {
    let mut admin = supervisor.admin()?;
    let scope = json!({
        "name": "safe", "password_required": false,
        "scheme": { "g": [{ "scheme_type": plugin, "scheme_name": plugin }] },
        "scheme_required": { "g": 1 },
    });
    expect(admin.post("/api/scope/", &scope), 200)?;
    for name in names {
        let user = json!({
            "username": name, "password": PASSWORD, "scope": ["g_profile", "safe"],
            "email": format!("{name}@example.org"),
        });
        expect(admin.post("/api/user/", &user), 200)?;
    }
    Ok(admin)
}

/// A user of a scheme, in a browser of their own.
#[derive(Clone)]
struct User<'a> {
    client: Client<'a>,
    name: String,
    scheme: String,
}

impl<'a> User<'a> {
    /// Signed in by password.
    fn new(supervisor: &'a Supervisor<'_>, name: &str, scheme: &str) -> Result<Self> {
        let mut user = Self::stranger(supervisor, name, scheme);
        user.client.sign_in(name, PASSWORD)?;
        Ok(user)
    }

    /// In a browser that nobody has used.
    fn stranger(supervisor: &'a Supervisor<'_>, name: &str, scheme: &str) -> Self {
        let (name, scheme) = (name.to_owned(), scheme.to_owned());
        Self { client: supervisor.client(), name, scheme }
    }

    fn body(&self, value: &Value) -> Value {
        let Self { name, scheme, .. } = self;
        json!({ "username": name, "scheme_type": scheme, "scheme_name": scheme, "value": value })
    }

    fn register(&mut self, data: &Value) -> Result<Reply> {
        self.client.post("/api/profile/scheme/register/", &self.body(data))
    }

    fn registration(&mut self) -> Result<Reply> {
        self.client.put("/api/profile/scheme/register/", &self.body(&json!({})))
    }

    fn trigger(&mut self) -> Result<Reply> {
        self.client.post("/api/auth/scheme/trigger/", &self.body(&json!({})))
    }

    fn prove(&mut self, value: &Value) -> Result<Reply> {
        self.client.post("/api/auth/", &self.body(value))
    }

    /// Whether the scheme is registered, and whether this session has proved it.
    fn state(&mut self) -> Result<(bool, bool)> {
        let reply = expect(self.client.get("/api/auth/scheme/?scope=safe"), 200)?.json()?;
        let item = &reply["safe"]["schemes"]["g"][0];
        let flag = |name: &str| item[name].as_bool().with_context(|| format!("{name}: {reply}"));
        Ok((flag("scheme_registered")?, flag("scheme_authenticated")?))
    }
}

/// Fails with the whole reply if the status is another.
fn expect(reply: Result<Reply>, status: u16) -> Result<Reply> {
    let reply = reply?;
    ensure!(reply.status == status, "expected {status}: {} {}", reply.status, reply.text());
    Ok(reply)
}

/// How many of those who prove the same at the same time get in.
fn winners(user: &User<'_>, proofs: usize, value: &Value) -> Result<usize> {
    let statuses: Vec<Result<u16>> = std::thread::scope(|scope| {
        let provers: Vec<_> = (0..proofs)
            .map(|_| {
                let mut user = user.clone();
                scope.spawn(move || Ok(user.prove(value)?.status))
            })
            .collect();
        let ended = provers.into_iter().map(|it| it.join().unwrap_or_else(|_| Ok(0)));
        ended.collect()
    });
    let statuses = statuses.into_iter().collect::<Result<Vec<u16>>>()?;
    ensure!(statuses.iter().all(|it| [200, 401].contains(it)), "{statuses:?}");
    Ok(statuses.iter().filter(|status| **status == 200).count())
}
