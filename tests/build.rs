//! Compiles what the peers of the tests speak: the lab service, and the services of go-plugin's examples.

use std::{env, error::Error, fs, path::PathBuf};

const PROTOS: [&str; 4] = ["lab", "kv", "counter", "streamer"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    for name in PROTOS {
        // Three of them share the package `proto`, so each gets a directory of its own.
        let out = PathBuf::from(env::var("OUT_DIR")?).join(name);
        fs::create_dir_all(&out)?;
        let descriptors = protox::compile([format!("{name}.proto")], ["proto"])?;
        tonic_prost_build::configure().out_dir(out).compile_fds(descriptors)?;
    }
    Ok(())
}
