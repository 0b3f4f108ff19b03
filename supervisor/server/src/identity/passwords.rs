//! Passwords: kept as Argon2id hashes, and older forms of them taken until their owner comes by.
//!
//! A hash takes a core for a while and some megabytes. So as many threads as there are cores make them, apart from
//! everything else, and whoever comes when too many wait is told to come again.

mod legacy;
mod memory;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use tokio::sync::oneshot;

use self::memory::{Lent, Memory};
use super::failure::Failure;
use super::settings::Cost;

/// Hashes that may wait for a thread.
const MOST_WAITING: usize = 256;
const COME_AGAIN: Duration = Duration::from_secs(1);
/// What a stored hash may cost at most, in KiB: nobody asks for more, and a forged one must not take the machine.
const MOST_MEMORY: u32 = 1 << 20;
/// How long memory is kept when nobody comes.
const IDLE: Duration = Duration::from_secs(30);

type Job = Box<dyn FnOnce() + Send>;

/// Makes and checks hashes.
pub(super) struct Passwords {
    jobs: SyncSender<Job>,
    argon: Argon2<'static>,
    memory: Arc<Memory>,
    /// Nobody's password.
    decoy: Arc<str>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Wrong,
    Right {
        /// Which of the hashes it is.
        at: usize,
        /// It is worth making a new hash of the same password.
        is_outdated: bool,
    },
}

impl Passwords {
    /// # Errors
    /// If no hash can cost that.
    pub(super) fn new(cost: Cost) -> anyhow::Result<Self> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None);
        let params = params.map_err(|error| anyhow::anyhow!("[password]: {error}"))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = decoy(&argon)?.into();
        let (jobs, queue) = sync_channel(MOST_WAITING);
        let queue = Arc::new(Mutex::new(queue));
        let memory = Arc::new(Memory::new(argon.params()));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..cores {
            let (queue, memory) = (queue.clone(), memory.clone());
            let work = move || work(&queue, &memory);
            std::thread::Builder::new().name("passwords".into()).spawn(work)?;
        }
        Ok(Self { jobs, argon, memory, decoy })
    }

    /// What is kept of a password.
    ///
    /// # Errors
    /// If too many wait.
    pub(super) async fn hash(&self, password: &str) -> Result<String, Failure> {
        let (argon, password) = (self.argon.clone(), password.to_owned());
        let (done, answer) = oneshot::channel();
        self.queue(move || {
            if !done.is_closed() {
                let _ = done.send(argon.hash_password(password.as_bytes()));
            }
        })?;
        let hashed = told(answer).await?;
        let failed =
            |error| Failure::Unavailable(format!("a password could not be hashed: {error}"));
        hashed.map(|hash| hash.to_string()).map_err(failed)
    }

    /// What is kept of several.
    ///
    /// # Errors
    /// If too many wait.
    pub(super) async fn hash_all(&self, passwords: &[String]) -> Result<Vec<String>, Failure> {
        let mut hashes = Vec::with_capacity(passwords.len());
        for password in passwords {
            hashes.push(self.hash(password).await?);
        }
        Ok(hashes)
    }

    /// Whether a password is one of those hashes'. Without any it takes as long, and is wrong.
    ///
    /// # Errors
    /// If too many wait.
    pub(super) async fn check(
        &self,
        password: &str,
        hashes: Vec<String>,
    ) -> Result<Checked, Failure> {
        let (argon, decoy, memory) = (self.argon.clone(), self.decoy.clone(), self.memory.clone());
        let password = password.to_owned();
        let (done, answer) = oneshot::channel();
        self.queue(move || {
            // Whoever asked may have gone away.
            if !done.is_closed() {
                let mut lent = memory.lend();
                let _ = done.send(check(&argon, &decoy, &password, &hashes, &mut lent));
                // Only now it is wiped: nobody waits for that.
            }
        })?;
        told(answer).await
    }

    /// Takes as long as a check does, for nobody.
    ///
    /// # Errors
    /// If too many wait.
    pub(super) async fn pretend(&self, password: &str) -> Result<(), Failure> {
        self.check(password, Vec::new()).await.map(drop)
    }

    fn queue(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let full = |_| Failure::Limited { retry_after: COME_AGAIN };
        self.jobs.try_send(Box::new(job)).map_err(full)
    }
}

async fn told<T>(answer: oneshot::Receiver<T>) -> Result<T, Failure> {
    answer.await.map_err(|_| Failure::Unavailable("a password could not be checked".into()))
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("cost", self.argon.params()).finish_non_exhaustive()
    }
}

/// Whether a text is what is kept of a password, of whatever kind.
pub fn is_hash(text: &str) -> bool {
    legacy::is_legacy(text) || cost_of(text).is_some()
}

/// One thread's life.
fn work(queue: &Mutex<Receiver<Job>>, memory: &Memory) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(IDLE);
        match job {
            Ok(job) => {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!(
                        "checking a password panicked; this is a bug, please report it"
                    );
                }
            }
            Err(RecvTimeoutError::Timeout) => memory.give_back(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn check(
    argon: &Argon2<'_>,
    decoy: &str,
    password: &str,
    hashes: &[String],
    lent: &mut Lent<'_>,
) -> Checked {
    let right = hashes.iter().position(|hash| is_of(password, hash, lent));
    if let Some(at) = right {
        return Checked::Right { at, is_outdated: is_outdated(argon, &hashes[at]) };
    }
    // An old form is quicker to check, and nobody should see who still has one.
    if !hashes.iter().any(|hash| cost_of(hash).is_some()) {
        let _ = is_of(password, decoy, lent);
    }
    Checked::Wrong
}

fn is_of(password: &str, hash: &str, lent: &mut Lent<'_>) -> bool {
    if legacy::is_legacy(hash) {
        return legacy::is_of(password.as_bytes(), hash);
    }
    let hash = PasswordHash::new(hash).ok();
    hash.and_then(|hash| is_of_argon(password.as_bytes(), &hash, lent)).unwrap_or(false)
}

/// `None`: it is not of Argon2, or costs more than anybody asks for.
fn is_of_argon(password: &[u8], hash: &PasswordHash, lent: &mut Lent<'_>) -> Option<bool> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let params = Params::try_from(hash).ok().filter(|params| params.m_cost() <= MOST_MEMORY)?;
    let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let mut made = [0; Output::MAX_LENGTH];
    let made = made.get_mut(..expected.len())?;
    let blocks = lent.blocks(&params);
    let argon = Argon2::new(algorithm, version, params.clone());
    argon.hash_password_into_with_memory(password, salt, made, blocks).ok()?;
    // Outputs are compared in a time that tells nothing.
    Some(Output::new(made).ok()? == *expected)
}

/// Of an Argon2 hash.
fn cost_of(hash: &str) -> Option<Params> {
    let hash = PasswordHash::new(hash).ok()?;
    hash.algorithm.as_str().starts_with("argon2").then(|| Params::try_from(&hash).ok())?
}

fn is_outdated(argon: &Argon2<'_>, hash: &str) -> bool {
    let wanted = argon.params();
    cost_of(hash).is_none_or(|params| {
        !hash.starts_with("$argon2id$")
            || (params.m_cost(), params.t_cost(), params.p_cost())
                != (wanted.m_cost(), wanted.t_cost(), wanted.p_cost())
    })
}

/// A hash that no password has, and that costs as much to check as any other.
fn decoy(argon: &Argon2<'_>) -> anyhow::Result<String> {
    let (salt, output): ([u8; 16], [u8; 32]) = (rand::random(), rand::random());
    let said = |error: &dyn std::fmt::Display| anyhow::anyhow!("[password]: {error}");
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon.params()).map_err(|error| said(&error))?,
        salt: Some(Salt::new(&salt).map_err(|error| said(&error))?),
        hash: Some(Output::new(&output).map_err(|error| said(&error))?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::new(CHEAP).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$") && is_hash(&hash), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "salted");
        let right = Checked::Right { at: 0, is_outdated: false };
        assert_eq!(passwords.check("correct horse", vec![hash.clone()]).await.unwrap(), right);
        for wrong in ["correct hors", "", "Correct horse", "correct horse\0"] {
            let checked = passwords.check(wrong, vec![hash.clone()]).await.unwrap();
            assert_eq!(checked, Checked::Wrong, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn any_of_several_will_do() {
        let passwords = Passwords::new(CHEAP).unwrap();
        let hashes = passwords.hash_all(&["one".into(), "two".into()]).await.unwrap();
        let checked = passwords.check("two", hashes).await.unwrap();
        assert_eq!(checked, Checked::Right { at: 1, is_outdated: false });
    }

    #[tokio::test]
    async fn other_costs_and_old_forms_are_outdated() {
        let old = Passwords::new(CHEAP).unwrap().hash("secret").await.unwrap();
        let passwords = Passwords::new(Cost { iterations: 2, ..CHEAP }).unwrap();
        let outdated = Checked::Right { at: 0, is_outdated: true };
        assert_eq!(passwords.check("secret", vec![old]).await.unwrap(), outdated);
        let old = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=".to_owned();
        assert_eq!(passwords.check("secret", vec![old]).await.unwrap(), outdated);
    }

    #[tokio::test]
    async fn what_is_no_hash_is_nobodys() {
        let passwords = Passwords::new(CHEAP).unwrap();
        let forged = "$argon2id$v=19$m=4000000,t=1000,p=1$c29tZXNhbHRzb21lc2FsdA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let began = Instant::now();
        for hash in ["", "secret", "$argon2id$", "$2b$10$abc", "{MD5}", "{NOPE}abc", forged] {
            let checked = passwords.check("secret", vec![hash.into()]).await.unwrap();
            assert_eq!(checked, Checked::Wrong, "{hash}");
        }
        assert!(began.elapsed() < Duration::from_secs(30), "a forged hash takes no machine");
        assert!(!is_hash("secret") && !is_hash(""));
    }

    #[tokio::test]
    async fn nobody_takes_as_long_as_somebody() {
        let passwords = Passwords::new(Cost { memory_kib: 4096, ..CHEAP }).unwrap();
        let hash = passwords.hash("secret").await.unwrap();
        let mut times = [Duration::MAX; 2];
        for _ in 0..20 {
            let began = Instant::now();
            passwords.check("wrong", vec![hash.clone()]).await.unwrap();
            times[0] = times[0].min(began.elapsed());
            let began = Instant::now();
            passwords.pretend("wrong").await.unwrap();
            times[1] = times[1].min(began.elapsed());
        }
        let [somebody, nobody] = times.map(|time| time.as_secs_f64());
        assert!((0.5..2.0).contains(&(nobody / somebody)), "{times:?}");
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_again() {
        let passwords = Passwords::new(Cost { memory_kib: 8192, ..CHEAP }).unwrap();
        let all = (0..MOST_WAITING * 2).map(|_| passwords.pretend("wrong"));
        let done = futures_util::future::join_all(all).await;
        let is_limited = |it: &Result<(), Failure>| matches!(it, Err(Failure::Limited { .. }));
        let limited = done.iter().filter(|it| is_limited(it)).count();
        assert!(limited > 0 && limited < done.len(), "{limited} of {}", done.len());
        passwords.pretend("later").await.unwrap();
    }
}
