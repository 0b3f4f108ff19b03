//! Compiles the protos with protox, so that a build needs no `protoc`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use tonic_prost_build::FileDescriptorSet;

const ROOTS: [&str; 3] = ["envoy", "goplugin", "outboard"];

/// All frames are as large as the largest, and are moved from queue to queue.
const LARGE_FRAMES: [&str; 2] =
    [".outboard.plugin.v1.Frame.kind.request", ".outboard.plugin.v1.Frame.kind.response"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for root in ROOTS {
        println!("cargo:rerun-if-changed={root}");
        collect(Path::new(root), &mut files)?;
    }
    files.sort();
    let descriptors: FileDescriptorSet = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("outboard.binpb"), encode(descriptors.clone()))?;
    let has_grpc = env::var_os("CARGO_FEATURE_GRPC").is_some();
    tonic_prost_build::configure()
        .bytes(".")
        .boxed(LARGE_FRAMES[0])
        .boxed(LARGE_FRAMES[1])
        .build_client(has_grpc)
        .build_server(has_grpc)
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// Without comments and positions: they are most of it, and only the generator wants them.
fn encode(mut descriptors: FileDescriptorSet) -> Vec<u8> {
    use prost::Message as _;
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    descriptors.encode_to_vec()
}
