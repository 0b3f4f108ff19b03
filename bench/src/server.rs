//! What is put under load: Outboard with the site as a plugin, and its peers.

pub(crate) mod glewlwyd;
pub(crate) mod nginx;
pub(crate) mod outboard;

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use tempfile::TempDir;

use crate::{program::Program, usage};

/// Endpoints of the plugin, and locations of the proxy.
pub(crate) const PLACES: usize = 1000;
/// Any of them, with either page.
pub(crate) const SMALL: &str = "/api/site/place-500/small";
pub(crate) const LARGE: &str = "/api/site/place-500/large";

/// A server with all its processes. They stop when it is dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The process that clients talk to.
    pub(crate) front: Vec<u32>,
    /// The process of the site.
    behind: Vec<u32>,
    // In this order: first the processes end, then their files go.
    _programs: Vec<Program>,
    _data: Option<outboard::Data>,
    _directory: TempDir,
}

/// Processor time so far.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) front: Duration,
    pub(crate) behind: Duration,
}

impl Server {
    pub(crate) fn used(&self) -> Result<Used> {
        Ok(Used { front: usage::processor(&self.front)?, behind: usage::processor(&self.behind)? })
    }
}
