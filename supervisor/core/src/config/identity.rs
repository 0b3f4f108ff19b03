//! People: how they log in, what the host keeps of them, and who may ask for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use super::keys;
use super::layers::Layers;
use crate::written::Choice;

/// The pages for people, and how they log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Of the log-in page, behind `external_url` and a slash.
    pub url: String,
    /// The scope that whoever administers has.
    pub admin_scope: String,
    /// The scope that whoever sees their own profile has.
    pub profile_scope: String,
    /// The administrator that a first start makes.
    pub admin_name: String,
    /// Wrong passwords of one user name in a minute.
    pub attempts: u32,
    /// Wrong passwords from one client address in a minute.
    pub attempts_address: u32,
    /// For one question to a plugin that keeps users or clients.
    pub backend_timeout: Duration,
    /// For one question to a plugin that authenticates.
    pub scheme_timeout: Duration,
    pub delete_profile: DeleteProfile,
}

/// What becomes of an account whose user gives it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteProfile {
    /// It is gone.
    Delete,
    /// It stays, and nobody can log in with it.
    Disable,
    /// Users can't give it up.
    No,
}

/// The host's own cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub cookie: String,
    pub expires: Duration,
    /// `None`: only the host that set it gets it.
    pub domain: Option<String>,
    pub same_site: SameSite,
    pub secure: SecureCookie,
    /// Several users in one browser.
    pub multiple: bool,
}

/// On which requests from other sites browsers send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    Lax,
    Strict,
    None,
}

/// Whether browsers send it over HTTPS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureCookie {
    /// If clients reach the gateway by HTTPS.
    Auto,
    Yes,
    No,
}

/// How passwords are hashed (Argon2id), and what one must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    pub memory: ByteSize,
    pub iterations: u32,
    pub parallelism: u32,
    /// Characters.
    pub least: u32,
}

/// How plugins get a text hashed that they look up by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// What plugins may ask of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callbacks {
    /// Calls of one instance to one service in a second.
    pub rate: u32,
    pub audit: Audit,
}

/// Which calls are written to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    Off,
    /// Those that change something about people, and those that were denied.
    Writes,
    All,
}

/// How the host's pages look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub dir: Option<PathBuf>,
    pub title: String,
}

/// Everything of the host's that is about people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub login: Login,
    pub session: Session,
    pub password: Password,
    pub hash: HashAlgorithm,
    /// Knows where addresses are.
    pub locate: Option<PathBuf>,
    /// Origins whose pages may use the host's API with cookies.
    pub cors: Vec<String>,
    /// Where the host's API for administrators is; `None`: at the gateway, with the rest.
    pub admin: Option<SocketAddr>,
    /// What one instance may keep with the host.
    pub storage: ByteSize,
    pub theme: Theme,
}

impl Choice for DeleteProfile {
    const WORDS: &'static [(&'static str, Self)] =
        &[("delete", Self::Delete), ("disable", Self::Disable), ("no", Self::No)];
}

impl Choice for SameSite {
    const WORDS: &'static [(&'static str, Self)] =
        &[("lax", Self::Lax), ("strict", Self::Strict), ("none", Self::None)];
}

impl Choice for SecureCookie {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("yes", Self::Yes), ("no", Self::No)];
}

impl Choice for HashAlgorithm {
    const WORDS: &'static [(&'static str, Self)] =
        &[("SHA1", Self::Sha1), ("SHA256", Self::Sha256), ("SHA512", Self::Sha512)];
}

impl Choice for Audit {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("writes", Self::Writes), ("all", Self::All)];
}

pub(super) fn read(layers: &mut Layers<'_>) -> Identity {
    Identity {
        login: login(layers),
        session: session(layers),
        password: Password {
            memory: layers.read(&keys::PASSWORD_MEMORY),
            iterations: layers.read(&keys::PASSWORD_ITERATIONS),
            parallelism: layers.read(&keys::PASSWORD_PARALLELISM),
            least: layers.read(&keys::PASSWORD_LEAST),
        },
        hash: layers.read(&keys::HASH_ALGORITHM),
        locate: layers.read_path(&keys::LOCATE_DATABASE),
        cors: layers.read(&keys::CORS_ORIGINS),
        admin: layers.read_optional(&keys::ADMIN_LISTEN),
        storage: layers.read(&keys::STORAGE_QUOTA),
        theme: Theme {
            dir: layers.read_path(&keys::THEME_DIR),
            title: layers.read(&keys::THEME_TITLE),
        },
    }
}

pub(super) fn callbacks(layers: &mut Layers<'_>) -> Callbacks {
    Callbacks {
        rate: layers.read(&keys::CALLBACKS_RATE),
        audit: layers.read(&keys::CALLBACKS_AUDIT),
    }
}

fn login(layers: &mut Layers<'_>) -> Login {
    Login {
        url: layers.read(&keys::LOGIN_URL),
        admin_scope: layers.read(&keys::LOGIN_ADMIN_SCOPE),
        profile_scope: layers.read(&keys::LOGIN_PROFILE_SCOPE),
        admin_name: layers.read(&keys::LOGIN_ADMIN_NAME),
        attempts: layers.read(&keys::LOGIN_ATTEMPTS),
        attempts_address: layers.read(&keys::LOGIN_ATTEMPTS_ADDRESS),
        backend_timeout: layers.read(&keys::LOGIN_BACKEND_TIMEOUT),
        scheme_timeout: layers.read(&keys::LOGIN_SCHEME_TIMEOUT),
        delete_profile: layers.read(&keys::LOGIN_DELETE_PROFILE),
    }
}

fn session(layers: &mut Layers<'_>) -> Session {
    let session = Session {
        cookie: layers.read(&keys::SESSION_COOKIE),
        expires: layers.read(&keys::SESSION_EXPIRES),
        domain: layers.read_optional(&keys::SESSION_DOMAIN),
        same_site: layers.read(&keys::SESSION_SAME_SITE),
        secure: layers.read(&keys::SESSION_SECURE),
        multiple: layers.read(&keys::SESSION_MULTIPLE),
    };
    check_session(layers, &session);
    session
}

/// What browsers would drop without a word.
fn check_session(layers: &mut Layers<'_>, session: &Session) {
    let name = session.cookie.to_ascii_lowercase();
    let (is_host, is_secure) = (name.starts_with("__host-"), name.starts_with("__secure-"));
    if is_host && session.domain.is_some() {
        let place =
            layers.place_of_either(&keys::SESSION_DOMAIN.about, &keys::SESSION_COOKIE.about);
        layers.mistakes.add(
            place,
            "browsers drop a cookie named \"__Host-...\" that has a domain; remove session.domain, or name the cookie \
             otherwise",
        );
    }
    if session.secure != SecureCookie::No {
        return;
    }
    let place = layers.place_of_either(&keys::SESSION_SECURE.about, &keys::SESSION_COOKIE.about);
    if is_host || is_secure {
        let message = "browsers drop a cookie of this name over HTTP; write session.secure = \"yes\", or name the cookie \
                       otherwise";
        layers.mistakes.add(place.clone(), message);
    }
    if session.same_site == SameSite::None {
        let message = "browsers drop a cookie with session.same_site = \"none\" over HTTP; write session.secure = \
                       \"yes\", or another session.same_site";
        layers.mistakes.add(place, message);
    }
}
