//! The real supervisor, with the site as its plugin.

use std::{
    fs,
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use super::{PLACES, SMALL, Server};
use crate::{
    program::{Cores, Program, built, directory, free_address},
    usage,
};

pub(crate) fn start(cores: Cores) -> Result<Server> {
    let directory = directory()?;
    let root = directory.path();
    let address = free_address()?;
    install(&root.join("plugins/site"))?;
    let configuration = format!(
        "plugins = \"plugins\"\ndata_dir = \"data\"\nruntime_dir = \"run\"\n\n\
         [gateway]\nlisten = \"{address}\"\nmax_body = \"2GiB\"\n\n[metrics]\nlisten = \"127.0.0.1:0\"\n\n\
         [log]\nlevel = \"warn\"\n"
    );
    fs::write(root.join("outboard.toml"), configuration)?;
    let mut command = Command::new(built("outboard")?);
    // It refuses variables that are meant for us.
    let path = std::env::var("PATH").unwrap_or_default();
    command.arg("serve").current_dir(root).env_clear().env("PATH", path);
    let mut program = Program::start("outboard", &mut command, root, cores)?;
    let data = Data(root.join("data"));
    program.wait_until_it_serves(address, SMALL)?;
    let front = vec![program.pid()];
    let behind = usage::leaves(program.pid())?;
    ensure!(behind.len() == 1, "one plugin was started, but there are {behind:?}");
    Ok(Server {
        name: "Outboard",
        address,
        front,
        behind,
        _programs: vec![program],
        _data: Some(data),
        _directory: directory,
    })
}

fn install(plugin: &Path) -> Result<()> {
    fs::create_dir_all(plugin)?;
    fs::copy(built("bench-site")?, plugin.join("bench-site"))?;
    let manifest =
        format!("name = \"site\"\ncommand = [\"bench-site\"]\n\n[parameters]\nplaces = {PLACES}\n");
    Ok(fs::write(plugin.join("plugin.toml"), manifest)?)
}

/// The copies of plugins are read-only, and nobody but root could remove what is in them.
pub(crate) struct Data(pub(crate) PathBuf);

impl Drop for Data {
    fn drop(&mut self) {
        let _ = make_writable(&self.0);
    }
}

fn make_writable(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}
