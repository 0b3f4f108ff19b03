//! The real supervisor over a database that was filled before it started.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use argon2::{Argon2, PasswordHasher as _};
use outboard_core::identity::{
    name::UserName,
    property::Properties,
    scope::Scope,
    user::{DATABASE, User, UserId},
};
use outboard_store::{DatabaseUrl, Options, Store};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    golang::Calls,
    program::{Cores, Program, built, directory, free_address},
    server::outboard::Data,
};

pub(super) const PASSWORD: &str = "a password that everybody has";
const SCOPE: &str = "bench";
/// Users in one transaction.
const CHUNK: usize = 10_000;
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) struct Stage {
    // In this order: first the processes end, then their files go.
    _supervisor: Program,
    address: SocketAddr,
    hash: String,
    _data: Data,
    _directory: TempDir,
}

pub(super) struct LoggedIn {
    /// `name=value` of the session's cookie.
    pub(super) session: String,
}

impl Stage {
    /// Fills the database at `postgres`, or a new SQLite file, and starts the supervisor on it.
    pub(super) fn open(runtime: &Runtime, postgres: Option<&str>, users: usize) -> Result<Self> {
        let directory = directory()?;
        let root = directory.path();
        let hash = Argon2::default().hash_password(PASSWORD.as_bytes());
        let hash = hash.map_err(|error| anyhow::anyhow!("{error}"))?.to_string();
        let database = root.join("bench.db");
        let url = match postgres {
            Some(url) => url.parse()?,
            None => DatabaseUrl::sqlite(&database),
        };
        runtime.block_on(fill(&url, users, &hash))?;
        let url = postgres.map_or_else(|| format!("sqlite:{}", database.display()), str::to_owned);
        let address = free_address()?;
        fs::write(root.join("outboard.toml"), configuration(address, &url))?;
        install(root)?;
        let mut command = Command::new(built("outboard")?);
        // It refuses variables that are meant for us.
        let path = std::env::var("PATH").unwrap_or_default();
        command.arg("serve").current_dir(root).env_clear().env("PATH", path);
        let mut supervisor = Program::start("outboard", &mut command, root, Cores::All)?;
        let data = Data(root.join("data"));
        supervisor.wait_until_it_serves(address, "/api/caller/ask/info?seconds=0")?;
        Ok(Self { _supervisor: supervisor, address, hash, _data: data, _directory: directory })
    }

    /// Of everybody's password.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn log_in(&mut self, name: &str) -> Result<LoggedIn> {
        let body = format!("{{\"username\":\"{name}\",\"password\":\"{PASSWORD}\"}}");
        let headers =
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let answer = self.exchange("POST", "/api/auth/", &headers, &body)?;
        let (head, _) = answer.split_once("\r\n\r\n").context("no head")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "{name} is not let in: {head}");
        let cookie = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then_some(value)
        });
        let session = cookie.context("no cookie")?.split(';').next().unwrap_or_default().to_owned();
        Ok(LoggedIn { session })
    }

    /// Has the plugin ask.
    pub(super) fn ask(
        &self,
        question: &str,
        session: &str,
        users: usize,
        in_flight: usize,
        seconds: u64,
    ) -> Result<Calls> {
        let path = format!(
            "/api/caller/ask/{question}?users={users}&in_flight={in_flight}&seconds={seconds}"
        );
        let answer = self.exchange("GET", &path, &format!("cookie: {session}\r\n"), "")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "{question}: {answer}");
        let answered: Answered = serde_json::from_str(body)?;
        Calls::of(&answered.us, Duration::from_secs(answered.seconds))
    }

    /// One request on a connection of its own.
    fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<String> {
        let mut connection = TcpStream::connect(self.address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n{headers}\r\n{body}"
        );
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

#[derive(Deserialize)]
struct Answered {
    seconds: u64,
    us: Vec<f64>,
}

async fn fill(url: &DatabaseUrl, users: usize, hash: &str) -> Result<()> {
    let store = Store::open(url, &Options::default()).await?;
    let scope = Scope {
        name: SCOPE.to_owned(),
        display_name: String::new(),
        description: String::new(),
        password_required: true,
        password_max_age_s: 0,
        groups: Vec::new(),
    };
    store.scopes().insert(&scope).await?;
    let all: Vec<usize> = (0..users).collect();
    for chunk in all.chunks(CHUNK) {
        let chunk: Result<Vec<_>> = chunk.iter().map(|number| user(*number, hash)).collect();
        store.users().load(&chunk?).await?;
    }
    store.close().await;
    Ok(())
}

fn user(number: usize, hash: &str) -> Result<(User, Vec<String>)> {
    let user = User {
        id: UserId::new(&format!("bench-{number}")).context("no id")?,
        username: UserName::new(&format!("user-{number}"))?,
        name: Some(format!("User {number}")),
        email: Some(format!("user-{number}@example.com")),
        enabled: true,
        scopes: vec![SCOPE.to_owned()],
        properties: Properties::default(),
        source: DATABASE.to_owned(),
        passwords: 1,
        last_login_ms: None,
        revision: 1,
    };
    Ok((user, vec![hash.to_owned()]))
}

/// All log-ins come from one address, and all calls from one plugin.
fn configuration(address: SocketAddr, database: &str) -> String {
    format!(
        "plugins = \"plugins\"\ndata_dir = \"data\"\nruntime_dir = \"run\"\n\n\
         [gateway]\nlisten = \"{address}\"\nfirst_byte_timeout = \"2m\"\n\n[database]\nurl = \"{database}\"\n\n\
         [login]\nattempts = 1000000\nattempts_address = 1000000\n\n[callbacks]\nrate = 10000000\n\n\
         [log]\nlevel = \"warn\"\n\n\
         [[plugin]]\nname = \"caller\"\ngrants.callbacks = [\"sessions\", \"users.read\"]\n"
    )
}

fn install(root: &Path) -> Result<()> {
    let plugin = root.join("plugins/caller");
    fs::create_dir_all(&plugin)?;
    fs::copy(built("bench-caller")?, plugin.join("bench-caller"))?;
    let manifest = "name = \"caller\"\ncommand = [\"bench-caller\"]\n\n\
                    [grants]\ncallbacks = [\"sessions\", \"users.read\"]\n";
    Ok(fs::write(plugin.join("plugin.toml"), manifest)?)
}
