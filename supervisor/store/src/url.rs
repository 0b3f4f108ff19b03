//! Where the database is. The password goes to the driver and nowhere else.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sqlx::postgres::PgConnectOptions;

/// Settings of a PostgreSQL URL that the driver understands. It would ignore any other, and a
/// mistyped `sslmode` should not pass in silence.
const SETTINGS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
///
/// Shown (`Display` and `Debug`) without password and settings.
#[derive(Clone)]
pub struct DatabaseUrl(Target);

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error(
        "a database URL begins with \"sqlite:\" or \"postgres://\"; write sqlite:/path/to/file or \
         postgres://user:password@host/name"
    )]
    Scheme,
    #[error("the database URL names no file; write sqlite:/path/to/file")]
    NoFile,
    #[error("SQLite in memory forgets everything at the end; write sqlite:/path/to/file")]
    InMemory,
    #[error("settings after \"?\" are for PostgreSQL only; write sqlite:/path/to/file")]
    SqliteSettings,
    #[error(
        "the database URL has the unknown setting {0:?}; known are {known}",
        known = SETTINGS.join(", ")
    )]
    UnknownSetting(String),
    #[error(
        "the database URL is not well formed: {0}; write postgres://user:password@host/name, with \
         %-encoding in the password"
    )]
    Malformed(String),
}

impl DatabaseUrl {
    /// The file at `path`.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Target::Sqlite(path.into()))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        if let Some(rest) = url.strip_prefix("sqlite:") {
            sqlite(rest)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres(url)
        } else {
            Err(InvalidUrl::Scheme)
        }
    }
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, InvalidUrl> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(InvalidUrl::NoFile);
    }
    if path == ":memory:" {
        return Err(InvalidUrl::InMemory);
    }
    if path.contains('?') {
        return Err(InvalidUrl::SqliteSettings);
    }
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    Ok(DatabaseUrl::sqlite(Path::new(OsStr::from_bytes(&bytes))))
}

fn postgres(url: &str) -> Result<DatabaseUrl, InvalidUrl> {
    let settings = url.split_once('?').map_or("", |(_, settings)| settings);
    for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
        let key = setting.split_once('=').map_or(setting, |(key, _)| key);
        if !SETTINGS.contains(&key) {
            return Err(InvalidUrl::UnknownSetting(key.to_owned()));
        }
    }
    let server = PgConnectOptions::from_str(url).map_err(|error| malformed(&error))?;
    let name = server.get_application_name().unwrap_or("outboard").to_owned();
    Ok(DatabaseUrl(Target::Postgres(Box::new(server.application_name(&name)))))
}

/// The driver's reasons ("invalid port number") name no part of the URL itself.
fn malformed(error: &sqlx::Error) -> InvalidUrl {
    let reason = match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        other => other.to_string(),
    };
    InvalidUrl::Malformed(reason)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Target::Postgres(server) => {
                let name = server.get_database().unwrap_or(server.get_username());
                write!(f, "postgres://{}@{}/{name}", server.get_username(), address(server))
            }
        }
    }
}

fn address(server: &PgConnectOptions) -> String {
    match server.get_socket() {
        Some(directory) => format!("{}:{}", directory.display(), server.get_port()),
        None => format!("{}:{}", server.get_host(), server.get_port()),
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        assert_eq!(url.parse::<DatabaseUrl>().unwrap().to_string(), shown);
    }

    #[track_caller]
    fn refused(url: &str) -> InvalidUrl {
        url.parse::<DatabaseUrl>().unwrap_err()
    }

    #[test]
    fn both_kinds_are_read() {
        check("sqlite:/var/lib/outboard/outboard.db", "sqlite:/var/lib/outboard/outboard.db");
        check("sqlite:///srv/a%20b.db", "sqlite:/srv/a b.db");
        check("sqlite:here.db", "sqlite:here.db");
        check("postgres://o@db.example:6000/outboard", "postgres://o@db.example:6000/outboard");
        check("postgresql://o@h/n?sslmode=require", "postgres://o@h:5432/n");
        check("postgres://o@%2Frun%2Fpg:6000/n", "postgres://o@/run/pg:6000/n");
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in ["postgres://o:s3cret@h/n", "postgres://o@h/n?password=s3cret"] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert!(!format!("{url} {url:?} {url:#?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_password_in_a_url_that_is_wrong_is_not_shown_either() {
        for url in [
            "mysql://o:s3cret@h/n",
            "postgres://o:s3cret@h:port/n",
            "postgres://o:s3cret@h/n?sslmod=require",
            "postgres://o:s3cret@[h/n",
            "postgres://o:s3cret@h/n?sslmode=maybe",
            "postgres://o:s3cret@h:99999999/n",
            "postgres://o:s3cret%ff@h/n",
        ] {
            let error = refused(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn what_would_surprise_later_is_refused_at_once() {
        assert_eq!(refused("outboard.db"), InvalidUrl::Scheme);
        assert_eq!(refused("sqlite:"), InvalidUrl::NoFile);
        assert_eq!(refused("sqlite://"), InvalidUrl::NoFile);
        assert_eq!(refused("sqlite::memory:"), InvalidUrl::InMemory);
        assert_eq!(refused("sqlite:a.db?mode=ro"), InvalidUrl::SqliteSettings);
        assert_eq!(
            refused("postgres://h/n?sslmod=require"),
            InvalidUrl::UnknownSetting("sslmod".to_owned())
        );
        assert!(matches!(refused("postgres://h:port/n"), InvalidUrl::Malformed(_)));
    }
}
