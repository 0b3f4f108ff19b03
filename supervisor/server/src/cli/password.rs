//! Passwords are typed, or come through a pipe; never in an argument, where others could read them.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Result, ensure};

/// A new password: asked for twice at a terminal, else the first line of what comes in.
pub(super) fn read() -> Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let password = rpassword::prompt_password("new password: ")?;
        let again = rpassword::prompt_password("once more: ")?;
        ensure!(password == again, "the two differ; nothing is changed");
        return Ok(password);
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    ensure!(!password.is_empty(), "no password came in; write it to stdin, on a line of its own");
    Ok(password.to_owned())
}
