//! The command line.
//!
//! Exit codes: 0, done; 1, failed; 2, the command line itself is wrong.

mod application;
mod backup;
mod client;
mod config;
mod event;
mod fields;
mod import;
mod key;
pub mod load;
mod output;
mod password;
mod plugin;
mod scheme;
mod scope;
mod serve;
mod session;
mod settings;
mod user;
mod whom;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use outboard_core::written::{Mistakes, Place};

use crate::environment::Environment;
pub use load::{Sources, load_config};

/// Runs other people's code beside a service without letting it in
#[derive(Debug, Parser)]
#[command(name = "outboard", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start every plugin of a directory, supervise them, and serve their endpoints
    ///
    /// Each option is also a key of outboard.toml and a variable; `outboard config reference` has
    /// them all. SIGHUP reads the configuration and the directory again, SIGTERM and Ctrl-C drain and
    /// stop.
    Serve(Sources),
    #[command(flatten)]
    Tool(Tool),
}

/// The commands that do something and end. They need neither launcher nor threads.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Check or explain the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Ask or tell a running supervisor about its plugins
    Plugin(plugin::Plugin),
    /// Ask a running supervisor what became of events, and deal with those that were given up
    Event(event::Event),
    /// Copy the database and the grants into a file, also while a supervisor uses them
    ///
    /// Configuration, plugins, secrets and what plugins keep in files of their own are not in it.
    Backup(backup::Backup),
    /// Put a copy in the place of the database and the grants; no supervisor may use them meanwhile
    Restore(backup::Restore),
    /// List, add, change and delete users
    User(user::User),
    /// List, add, change and delete clients: the applications that act for users
    Client(application::Client),
    /// Load users, clients, scopes, schemes and instances from a file
    Import(import::Import),
    /// List, add, change and delete scopes: rights, and what must be proved for them
    Scope(scope::Scope),
    /// List and set up schemes: the ways to authenticate beyond the password
    Scheme(scheme::Scheme),
    /// Show where a user is signed in, and sign one out
    Session(session::Session),
    /// Make, list and disable API keys: what programs send instead of a session
    Key(key::Key),
}

/// Runs a command to its end. Must be called before there are threads.
pub fn run(cli: Cli, environment: Environment) -> ExitCode {
    let done = match cli.command {
        Command::Serve(sources) => serve::run(sources, environment),
        Command::Tool(Tool::Config(command)) => {
            command.run(&environment).map(|()| ExitCode::SUCCESS)
        }
        Command::Tool(Tool::Plugin(plugin)) => plugin.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Event(event)) => event.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Backup(backup)) => backup.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Restore(restore)) => {
            restore.run(&environment).map(|()| ExitCode::SUCCESS)
        }
        Command::Tool(Tool::User(user)) => user.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Client(client)) => client.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Import(import)) => import.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Scope(scope)) => scope.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Scheme(scheme)) => scheme.run(&environment).map(|()| ExitCode::SUCCESS),
        Command::Tool(Tool::Session(session)) => {
            session.run(&environment).map(|()| ExitCode::SUCCESS)
        }
        Command::Tool(Tool::Key(key)) => key.run(&environment).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| fail(&error))
}

/// Says on stderr what went wrong, and with which exit code to end.
fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
        return fail_for(mistakes);
    }
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(is_closed) {
        // Whoever read the output has seen enough, as `head` does.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", told(error));
    ExitCode::FAILURE
}

/// An error and its causes, without those that it tells itself.
fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

fn fail_for(mistakes: &Mistakes) -> ExitCode {
    let count = mistakes.len();
    let plural = if count == 1 { "mistake" } else { "mistakes" };
    eprintln!("error: {count} {plural} in the configuration\n{mistakes}");
    let is_flag = mistakes.iter().any(|mistake| matches!(mistake.place, Place::Flag(_)));
    ExitCode::from(if is_flag { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_every_setting_as_a_flag() {
        let mut args = vec!["outboard".to_owned(), "serve".to_owned()];
        args.extend(
            outboard_core::config::SETTINGS.iter().map(|about| format!("--{}=x", about.flag())),
        );
        let cli = Cli::try_parse_from(args).unwrap();
        let Command::Serve(sources) = cli.command else { panic!("{cli:?}") };
        assert_eq!(sources.settings.0.len(), outboard_core::config::SETTINGS.len());
        assert_eq!(sources.settings.0["gateway.listen"], "x");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no such file").context("b.db: no such file; name another");
        assert_eq!(told(&error), "b.db: no such file; name another");
        let error = anyhow::anyhow!("no such file").context("b.db").context("restore");
        assert_eq!(told(&error), "restore: b.db: no such file");
    }

    #[test]
    fn a_flag_that_does_not_exist_is_a_usage_error() {
        let error = Cli::try_parse_from(["outboard", "serve", "--lisen", "x"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--listen"), "{error}");
    }
}
