//! A client of the host's HTTP API, as a browser is one: it keeps the session cookie.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Supervisor;
use super::http::Reply;

/// How the line begins that tells the first administrator's password.
const FIRST: &str = "first sign-in: ";

/// The name of the session cookie.
pub const COOKIE: &str = "GLEWLWYD2_SESSION_ID";

/// Somebody who asks. Clones go their own ways from then on.
#[derive(Clone)]
pub struct Client<'a> {
    supervisor: &'a Supervisor<'a>,
    /// The value of the session cookie.
    pub cookie: Option<String>,
    /// Whole lines, for each request.
    pub headers: String,
}

/// What the administrator's password becomes in tests.
pub const PASSWORD: &str = "correct horse battery";

impl<'a> Supervisor<'a> {
    /// The administrator of the first start, signed in, and with [`PASSWORD`] from now on.
    pub fn admin(&'a self) -> Result<Client<'a>> {
        let first = self.first_password()?;
        let mut admin = self.client();
        admin.sign_in("admin", &first)?;
        let reply = admin.change_password("admin", &first, PASSWORD)?;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(admin)
    }

    /// What the first start has printed: good for choosing another password, and for nothing else.
    pub fn first_password(&self) -> Result<String> {
        let line = self.table.wait(0, FIRST)?;
        Ok(line.rsplit(' ').next().context("no password")?.to_owned())
    }

    /// Somebody who is not signed in.
    pub fn client(&'a self) -> Client<'a> {
        Client { supervisor: self, cookie: None, headers: String::new() }
    }
}

impl Client<'_> {
    pub fn get(&mut self, path: &str) -> Result<Reply> {
        self.ask("GET", path, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<Reply> {
        self.ask("POST", path, Some(body))
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Result<Reply> {
        self.ask("PUT", path, Some(body))
    }

    pub fn delete(&mut self, path: &str) -> Result<Reply> {
        self.ask("DELETE", path, None)
    }

    /// Signs in by password.
    pub fn sign_in(&mut self, username: &str, password: &str) -> Result<()> {
        let body = json!({ "username": username, "password": password });
        let reply = self.post("/api/auth/", &body)?;
        ensure!(reply.status == 200 && self.cookie.is_some(), "{username}: {reply:?}");
        Ok(())
    }

    /// Changes the password of whoever is signed in.
    pub fn change_password(&mut self, username: &str, old: &str, new: &str) -> Result<Reply> {
        let body = json!({ "username": username, "old_password": old, "password": new });
        self.put("/api/profile/password", &body)
    }

    /// Any request below the gateway's address; a body is JSON.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        self.send(method, path, kind, &body)
    }

    /// The same with a body of any kind; `headers` are whole lines.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Result<Reply> {
        let cookie = self.cookie.as_ref().map(|value| format!("cookie: {COOKIE}={value}\r\n"));
        let headers = format!("{headers}{}{}", self.headers, cookie.unwrap_or_default());
        let reply = self.supervisor.request(method, path, &headers, body)?;
        self.keep(&reply)?;
        Ok(reply)
    }

    /// Keeps the cookie that came, if one came.
    fn keep(&mut self, reply: &Reply) -> Result<()> {
        let Some(line) = reply.header("set-cookie") else { return Ok(()) };
        let Some(rest) = line.strip_prefix(COOKIE).and_then(|it| it.strip_prefix('=')) else {
            return Ok(());
        };
        let value = rest.split(';').next().context("no value")?;
        self.cookie = (!value.is_empty()).then(|| value.to_owned());
        Ok(())
    }
}
