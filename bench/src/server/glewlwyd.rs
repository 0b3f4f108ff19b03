//! Glewlwyd, whose endpoints run inside it: what a request costs without a plugin in another process.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::Server;
use crate::program::{Cores, Program, directory, free_address};

/// A short answer that it makes from memory.
pub(crate) const PATH: &str = "/config";
/// Where Debian's package puts the tables of its database.
const TABLES: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// Nothing where it is not installed: no other measurement needs it.
pub(crate) fn start(cores: Cores) -> Result<Option<Server>> {
    let is_there = |program| Command::new(program).arg("--version").output().is_ok();
    if !is_there("glewlwyd") || !is_there("sqlite3") || !Path::new(TABLES).is_file() {
        return Ok(None);
    }
    let directory = directory()?;
    let root = directory.path();
    let address = free_address()?;
    let database = root.join("database");
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg(&database).stdin(File::open(TABLES)?).stdout(Stdio::null());
    ensure!(sqlite.status()?.success(), "the database of Glewlwyd can't be made");
    let file = root.join("glewlwyd.conf");
    let configuration = format!(
        "port={}\nbind_address=\"{}\"\nexternal_url=\"http://{address}/\"\nlogin_url=\"login.html\"\n\
         api_prefix=\"api\"\nlog_mode=\"console\"\nlog_level=\"ERROR\"\ncookie_secure=0\n\
         session_key=\"SESSION\"\nadmin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\n\
         hash_algorithm=\"SHA512\"\nuser_module_path=\"{MODULES}/user\"\n\
         client_module_path=\"{MODULES}/client\"\nplugin_module_path=\"{MODULES}/plugin\"\n\
         user_auth_scheme_module_path=\"{MODULES}/scheme\"\n\
         database = {{ type = \"sqlite3\"; path = \"{}\"; }};\n",
        address.port(),
        address.ip(),
        database.display(),
    );
    fs::write(&file, configuration)?;
    let mut command = Command::new("glewlwyd");
    let mut program = Program::start("glewlwyd", command.arg("-c").arg(&file), root, cores)?;
    program.wait_until_it_serves(address, PATH).context("Glewlwyd")?;
    Ok(Some(Server {
        name: "Glewlwyd",
        address,
        front: vec![program.pid()],
        behind: Vec::new(),
        _programs: vec![program],
        _data: None,
        _directory: directory,
    }))
}

const MODULES: &str = "/usr/lib/glewlwyd";
