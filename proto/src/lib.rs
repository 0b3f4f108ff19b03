//! All that the host and a plugin must agree on.
//!
//! Without features: the messages of every service, and the pure parts of the wire. [`handshake`] is
//! the line that a plugin prints, [`env`](mod@env) what its host told it before. Feature `grpc` adds tonic
//! clients and servers; feature `transport` adds what both sides do with sockets.
//!
//! The wire is `HashiCorp` go-plugin's, so each half also speaks with a go-plugin of the other side.
#![warn(missing_docs)]

pub mod env;
pub mod frame;
pub mod handshake;
#[cfg(feature = "transport")]
pub mod transport;

/// go-plugin's own services: broker, controller, stdio (proto package `plugin`).
#[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
pub mod goplugin {
    include!(concat!(env!("OUT_DIR"), "/plugin.rs"));
}

/// What the host calls in a plugin.
pub mod plugin {
    /// `outboard.plugin.v1`.
    #[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/outboard.plugin.v1.rs"));
    }
}

/// What a plugin calls in its host.
pub mod host {
    /// `outboard.host.v1`.
    #[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/outboard.host.v1.rs"));
    }
}

/// What operators do with a running supervisor.
pub mod admin {
    /// `outboard.admin.v1`.
    #[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/outboard.admin.v1.rs"));
    }
}

/// What is announced.
pub mod event {
    /// `outboard.event.v1`.
    #[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/outboard.event.v1.rs"));
    }
}

/// What services call.
pub mod service {
    /// `outboard.service.v1`.
    #[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/outboard.service.v1.rs"));
    }
}

/// What Envoy asks (`envoy.service.auth.v3`).
#[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all, reason = "generated")]
pub mod envoy {
    include!(concat!(env!("OUT_DIR"), "/envoy.service.auth.v3.rs"));
}

/// The descriptors of all of the above, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/outboard.binpb"));
