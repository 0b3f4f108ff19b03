//! The plugin that is measured: the lab service on the SDK's go-plugin layer.
//!
//! With the argument `bare` it is the yardstick instead: it listens, says where, takes one connection, writes one
//! byte, and waits for its end. The same file, so that loading it costs the same.

use std::{
    env,
    io::{self, Write as _},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::ExitCode,
};

use outboard_sdk::{
    go_plugin::Server,
    tonic::{self, Request, Response, Status, service::Routes},
};
use wire::{
    Data, Id, Nothing, Number, Text,
    lab_server::{Lab, LabServer},
};

mod wire {
    //! lab.proto
    #![allow(clippy::pedantic, unreachable_pub, dead_code, reason = "generated")]
    tonic::include_proto!("lab");
}

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("bare") {
        return match bare() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    Server::new("OUTBOARD_LAB", "lab").version(1, |_| Routes::new(LabServer::new(Doubles))).serve()
}

fn bare() -> io::Result<()> {
    let directory = env::var_os("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from).unwrap_or_default();
    let socket = directory.join("bare");
    let listener = UnixListener::bind(&socket)?;
    println!("1|1|unix|{}|grpc|", socket.display());
    io::stdout().flush()?;
    let (mut connection, _) = listener.accept()?;
    connection.write_all(b"x")?;
    // The host closes its end when it has seen enough.
    io::copy(&mut connection, &mut io::sink()).map(drop)
}

/// Only what is measured; the rest of the service belongs to the tests.
struct Doubles;

#[tonic::async_trait]
impl Lab for Doubles {
    async fn double(&self, number: Request<Number>) -> Result<Response<Number>, Status> {
        Ok(Response::new(Number { value: 2 * number.into_inner().value }))
    }

    async fn measure(&self, _: Request<Data>) -> Result<Response<Number>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn fill(&self, _: Request<Number>) -> Result<Response<Data>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn print_out(&self, _: Request<Text>) -> Result<Response<Nothing>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn print_err(&self, _: Request<Text>) -> Result<Response<Nothing>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn serve(&self, _: Request<Id>) -> Result<Response<Nothing>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn dial(&self, _: Request<Id>) -> Result<Response<Number>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn next_id(&self, _: Request<Nothing>) -> Result<Response<Id>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
