//! The services of the peers, generated from tests/proto.

#![allow(clippy::pedantic, reason = "generated")]

pub mod lab {
    //! lab.proto
    include!(concat!(env!("OUT_DIR"), "/lab/lab.rs"));
}

pub mod kv {
    //! kv.proto
    include!(concat!(env!("OUT_DIR"), "/kv/proto.rs"));
}

pub mod counter {
    //! counter.proto
    include!(concat!(env!("OUT_DIR"), "/counter/proto.rs"));
}

pub mod streamer {
    //! streamer.proto
    include!(concat!(env!("OUT_DIR"), "/streamer/proto.rs"));
}
