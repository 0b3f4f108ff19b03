//! The peer: a Redis stream that is on disk before it answers.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::program::{Cores, Program, directory};

pub(crate) struct Redis {
    _program: Program,
    directory: TempDir,
}

impl Redis {
    /// With its files where those of the supervisor are.
    pub(crate) fn start() -> Result<Self> {
        let directory = directory()?;
        let root = directory.path();
        let mut command = Command::new("redis-server");
        command.current_dir(root);
        command.args(["--port", "0", "--unixsocket"]).arg(socket(root)).args(["--dir"]).arg(root);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        let mut program = Program::start("redis-server", &mut command, root, Cores::All)?;
        program.wait_until("serve", || UnixStream::connect(socket(root)).is_ok())?;
        Ok(Self { _program: program, directory })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }
}

fn socket(root: &Path) -> PathBuf {
    root.join("redis.sock")
}

pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        Ok(Self(BufReader::new(UnixStream::connect(socket)?)))
    }

    /// Adds the event to a stream so many times, all sent before the first answer.
    pub(crate) fn add(&mut self, event: &str, times: usize) -> Result<()> {
        let mut commands = String::new();
        for _ in 0..times {
            commands.push_str("*5\r\n");
            for word in ["XADD", "bench", "*", "event", event] {
                write!(commands, "${}\r\n{word}\r\n", word.len())?;
            }
        }
        self.0.get_mut().write_all(commands.as_bytes())?;
        for _ in 0..times {
            let (mut length, mut id) = (String::new(), String::new());
            self.0.read_line(&mut length)?;
            self.0.read_line(&mut id)?;
            ensure!(length.starts_with('$') && id.contains('-'), "Redis says {length:?} {id:?}");
        }
        Ok(())
    }
}
