//! What a machine must have, and what is installed where it has not.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{output, program, run, works};

/// Go 1.26 or newer: the peers of the tests are built with it.
pub(crate) fn go() -> Result<()> {
    const ADVICE: &str = "install Go 1.26 or newer (https://go.dev/dl) and put `go` on PATH";
    ensure!(works(program("go", &["version"]).env("GOTOOLCHAIN", "local")), "no Go here; {ADVICE}");
    let version = output(program("go", &["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"))?;
    let minor = version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next());
    let minor: u32 = minor.and_then(|minor| minor.parse().ok()).unwrap_or(u32::MAX);
    ensure!(minor >= 26, "{} is too old; {ADVICE}", version.trim());
    Ok(())
}

/// A directory with `initdb` and `postgres`. Installed where it is missing and we may.
pub(crate) fn postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "no PostgreSQL server here (looked for initdb on PATH and below /usr/lib/postgresql); \
             install it (Debian: apt-get install postgresql), or set OUTBOARD_TEST_POSTGRES_URL to a \
             database that the tests may fill"
        );
    }
    apt_install(&["postgresql"])?;
    find_postgres().ok_or_else(|| anyhow::anyhow!("apt-get installed postgresql without initdb"))
}

fn find_postgres() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> =
            versions.flatten().map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        places.extend(versions.into_iter().rev());
    }
    places
        .into_iter()
        .find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}

fn apt_install(packages: &[&str]) -> Result<()> {
    ensure!(
        works(&mut program("apt-get", &["--version"])),
        "{} is missing and there is no apt-get; install it by hand",
        packages.join(" ")
    );
    run(&mut program("apt-get", &["update", "-qq"]))?;
    run(program("apt-get", &["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The clients of the tests that others have made: a program, and the package of Debian that brings it.
/// And proxies that ask us whom to let in.
const CLIENTS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("h2load", "nghttp2-client"),
    ("chromium", "chromium"),
    ("nginx", "nginx-light"),
    ("caddy", "caddy"),
];

/// Those clients, each with the variable that tells the tests where it is. Installed where they are missing and
/// we may. One that the caller names in such a variable is taken as it is.
pub(crate) fn clients() -> Result<Vec<(String, PathBuf)>> {
    let missing: Vec<_> =
        CLIENTS.iter().copied().filter(|(name, _)| find_client(name).is_none()).collect();
    if !missing.is_empty() {
        let (names, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        ensure!(
            nix::unistd::geteuid().is_root(),
            "not on PATH: {}; install (Debian: apt-get install {}), or say where in {}",
            names.join(", "),
            packages.join(" "),
            names.iter().map(|name| variable(name)).collect::<Vec<_>>().join(", ")
        );
        apt_install(&packages)?;
    }
    CLIENTS.iter().map(|(name, package)| client(name, package)).collect()
}

fn client(name: &str, package: &str) -> Result<(String, PathBuf)> {
    let found = find_client(name);
    let found = found.with_context(|| format!("apt-get installed {package} without {name}"))?;
    Ok((variable(name), found))
}

fn variable(client: &str) -> String {
    format!("OUTBOARD_TEST_{}", client.to_uppercase())
}

fn find_client(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let given = env::var_os(variable(name)).map(PathBuf::from);
    // Servers are below /usr/sbin, which is not on everybody's PATH.
    let on_path = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut places = given.into_iter().chain(on_path.map(|place| place.join(name)));
    places.find(|place| place.is_file())
}

/// nginx, wrk to put it and us under load, and redis-server. Installed where they are missing and we may.
pub(crate) fn bench() -> Result<()> {
    let missing: Vec<_> =
        BENCH.into_iter().filter(|(name, _)| find_client(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.into_iter().map(|(_, package)| package).collect();
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the measurements need {0}; install (Debian: apt-get install {0})",
        packages.join(" ")
    );
    apt_install(&packages)
}

/// Peers of the measurements. A further one, glewlwyd, is only measured where it is installed.
const BENCH: [(&str, &str); 3] =
    [("nginx", "nginx-light"), ("wrk", "wrk"), ("redis-server", "redis-server")];

/// Python 3.10 or newer, with venv and pip.
pub(crate) fn python() -> Result<()> {
    const ADVICE: &str =
        "install Python 3.10 or newer with venv (Debian: apt-get install python3-venv)";
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    ensure!(works(&mut program("python3", &["-c", check])), "no usable python3 here; {ADVICE}");
    Ok(())
}
