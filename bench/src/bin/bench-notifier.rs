//! A notifier that writes down what it is told: a line for each delivery, before it answers. With `hold` it writes
//! nothing and never answers, so that events wait.
//!
//! Its name is its first argument.

use std::{
    env,
    fs::{File, OpenOptions},
    future::pending,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use outboard_sdk::{Delivery, Endpoints, Init, Notifier, NotifyError, Plugin, Problems, Server};
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Writer;

#[derive(Deserialize)]
struct Parameters {
    journal: PathBuf,
    hold: bool,
}

struct Journal {
    file: Mutex<File>,
    hold: bool,
}

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    Server::new(&name, Writer).notifier().serve()
}

impl Plugin for Writer {
    type Parameters = Parameters;
    type Instance = Journal;

    async fn init(
        &self,
        init: Init<Parameters>,
        _: &mut Endpoints<Journal>,
    ) -> Result<Journal, Problems> {
        let Parameters { journal, hold } = init.parameters;
        // Appended to: what the process before this one wrote stays.
        match OpenOptions::new().create(true).append(true).open(&journal) {
            Ok(file) => Ok(Journal { file: Mutex::new(file), hold }),
            Err(error) => {
                let mut problems = Problems::default();
                problems.add("/journal", format!("can't be written: {error}"));
                Err(problems)
            }
        }
    }
}

impl Notifier for Writer {
    async fn on_notify(
        &self,
        journal: Arc<Journal>,
        delivery: Delivery,
    ) -> Result<(), NotifyError> {
        if journal.hold {
            return pending().await;
        }
        journal.write(&delivery).map_err(|error| NotifyError::retry(error.to_string()))
    }
}

impl Journal {
    /// One write, so that a line is there whole or not at all.
    fn write(&self, delivery: &Delivery) -> io::Result<()> {
        let event = &delivery.event;
        let key = event.key().unwrap_or_default();
        let line = format!("{}\t{}\t{}\t{key}\n", event.source, event.id, delivery.id);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}
