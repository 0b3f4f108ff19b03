//! What went wrong with the database as such, in sentences for an operator.
//!
//! Only the message of a driver's error is kept: its details may hold a row, and a row may hold
//! parameters that nobody should read in a log.

use std::fmt;
use std::io;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::url::DatabaseUrl;

/// A database that can't be opened, or a statement that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{database}: {what}; {fault}")]
pub struct StoreError {
    /// The URL, without its password.
    database: String,
    what: String,
    fault: Fault,
}

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server does not answer.
    Unreachable,
    /// Another writer, or too many of us: later it may work.
    Busy,
    /// User, password or rights.
    Refused,
    /// The server is there and the database is not.
    NoDatabase,
    /// The file of SQLite or its directory.
    File,
    /// The disk is full.
    Full,
    /// Not a database, or not a whole one.
    Damaged,
    /// The database stores no Unicode.
    Encoding,
    /// A newer Outboard has migrated it.
    NewerSchema,
    /// Something else has migrated it.
    ChangedSchema,
    /// TLS, or the settings of the connection.
    Settings,
    /// A statement that should have worked.
    Bug,
}

impl fmt::Display for Fault {
    /// What to do next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => {
                "start the database server, or correct host and port of the database URL"
            }
            Self::Busy => "try again; if it stays, look for what else holds this database",
            Self::Refused => {
                "correct user and password of the database URL, or grant that user this database \
                 and the right to create tables in it"
            }
            Self::NoDatabase => "create the database, or correct its name in the database URL",
            Self::File => {
                "create its directory, or make it readable and writable for the user that runs \
                 Outboard"
            }
            Self::Full => "free some disk space",
            Self::Damaged => {
                "restore the file from a backup, or move it away to start with an empty one"
            }
            Self::Encoding => "create the database with ENCODING 'UTF8'",
            Self::NewerSchema => {
                "start a version of Outboard that is at least as new, or restore the backup from \
                 before the upgrade"
            }
            Self::ChangedSchema => "use a database of Outboard's own, or restore it from a backup",
            Self::Settings => {
                "correct the settings in the database URL: sslmode, sslrootcert and so on"
            }
            Self::Bug => "please report this with Outboard's version",
        })
    }
}

impl Fault {
    /// True: the same again may work, without anyone having changed anything of Outboard's.
    pub fn is_temporary(self) -> bool {
        match self {
            Self::Unreachable | Self::Busy | Self::Full => true,
            Self::Refused
            | Self::NoDatabase
            | Self::File
            | Self::Damaged
            | Self::Encoding
            | Self::NewerSchema
            | Self::ChangedSchema
            | Self::Settings
            | Self::Bug => false,
        }
    }
}

impl StoreError {
    /// Whose move it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    pub(crate) fn from_sqlx(url: &DatabaseUrl, doing: &str, error: &sqlx::Error) -> Self {
        Self::new(url, format!("could not {doing}: {}", message(error)), fault(error))
    }

    pub(crate) fn from_file(url: &DatabaseUrl, error: &io::Error) -> Self {
        Self::new(url, format!("could not open the file: {error}"), Fault::File)
    }

    pub(crate) fn no_answer(url: &DatabaseUrl, wait: Duration) -> Self {
        Self::new(url, format!("no answer within {wait:?}"), Fault::Unreachable)
    }

    pub(crate) fn encoding(url: &DatabaseUrl, encoding: &str) -> Self {
        Self::new(url, format!("its encoding is {encoding}"), Fault::Encoding)
    }

    pub(crate) fn newer_schema(url: &DatabaseUrl, found: i64, newest: i64) -> Self {
        let what = format!(
            "its schema has version {found}, and this Outboard knows versions up to {newest}"
        );
        Self::new(url, what, Fault::NewerSchema)
    }

    pub(crate) fn changed_schema(url: &DatabaseUrl, version: i64) -> Self {
        let what = format!("version {version} of its schema is not the one that Outboard made");
        Self::new(url, what, Fault::ChangedSchema)
    }

    pub(crate) fn migration(url: &DatabaseUrl, error: &MigrateError) -> Self {
        Self::new(url, format!("could not migrate: {error}"), Fault::Bug)
    }

    fn new(url: &DatabaseUrl, what: String, fault: Fault) -> Self {
        Self { database: url.to_string(), what, fault }
    }
}

/// One line, without the driver's "error returned from …".
fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "every connection stayed in use".to_owned(),
        other => other.to_string(),
    }
}

fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => error.code().map_or(Fault::Bug, |code| of_code(&code)),
        // What rustls says of a certificate comes this way.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Fault::Settings,
        sqlx::Error::Io(_) => Fault::Unreachable,
        sqlx::Error::PoolTimedOut => Fault::Busy,
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => Fault::Settings,
        _ => Fault::Bug,
    }
}

/// SQLSTATE of PostgreSQL (five characters), or SQLite's extended result code, whose low byte says
/// the kind.
fn of_code(code: &str) -> Fault {
    if code.len() == 5 { of_sqlstate(code) } else { code.parse().map_or(Fault::Bug, of_sqlite) }
}

fn of_sqlstate(code: &str) -> Fault {
    match code {
        "3D000" => Fault::NoDatabase,
        "42501" => Fault::Refused,
        "53100" => Fault::Full,
        "40001" | "40P01" | "55P03" | "57014" => Fault::Busy,
        "XX001" | "XX002" => Fault::Damaged,
        _ => match &code[..2] {
            "08" | "57" => Fault::Unreachable,
            "28" => Fault::Refused,
            "53" => Fault::Busy,
            _ => Fault::Bug,
        },
    }
}

fn of_sqlite(code: u32) -> Fault {
    match code & 0xff {
        5 | 6 => Fault::Busy,
        3 | 8 | 10 | 14 | 23 => Fault::File,
        11 | 26 => Fault::Damaged,
        13 => Fault::Full,
        _ => Fault::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_name_the_same_faults() {
        for (code, expected) in [
            ("28P01", Fault::Refused),
            ("3D000", Fault::NoDatabase),
            ("53300", Fault::Busy),
            ("57P03", Fault::Unreachable),
            ("55P03", Fault::Busy),
            ("23505", Fault::Bug),
            ("5", Fault::Busy),
            ("517", Fault::Busy),
            ("14", Fault::File),
            ("26", Fault::Damaged),
            ("13", Fault::Full),
            ("2067", Fault::Bug),
            ("", Fault::Bug),
        ] {
            assert_eq!(of_code(code), expected, "{code}");
        }
    }
}
