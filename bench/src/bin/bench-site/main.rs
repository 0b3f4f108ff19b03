//! The site that is measured, reached in two ways: as a plugin on the SDK, and with the argument `upstream` and the
//! path of a Unix socket as an HTTP/1.1 server there, for a proxy. The same program and the same content, each on one
//! thread, so that what differs is the way to it.

mod content;
mod plugin;
mod upstream;

use std::{env, process::ExitCode};

/// As in the supervisor, and as authors are advised to: the same for both ways.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => plugin::serve(),
        ["upstream", socket] => match upstream::serve(socket) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{socket}: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: bench-site [upstream SOCKET]");
            ExitCode::FAILURE
        }
    }
}
