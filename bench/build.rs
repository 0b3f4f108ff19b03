//! Compiles the lab service, which the Go peer of the measurements speaks too, and that of the bodies.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../tests/proto");
    let descriptors = protox::compile(["lab.proto"], ["../tests/proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["bodies.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
