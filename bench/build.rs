//! Compiles the lab service, which the Go peer of the measurements speaks too.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../tests/proto");
    let descriptors = protox::compile(["lab.proto"], ["../tests/proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
