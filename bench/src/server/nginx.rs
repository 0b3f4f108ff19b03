//! nginx as a proxy to the site on a Unix socket, with what makes it fast, and the same work to do.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Result, ensure};
use nix::unistd::geteuid;

use super::{PLACES, SMALL, Server};
use crate::{
    program::{Cores, Program, built, directory, free_address},
    usage,
};

pub(crate) fn start(cores: Cores, workers: usize) -> Result<Server> {
    let directory = directory()?;
    let root = directory.path();
    let address = free_address()?;
    let socket = root.join("site");
    let mut site = Command::new(built("bench-site")?);
    let mut site = Program::start("site", site.arg("upstream").arg(&socket), root, cores)?;
    site.wait_until("listen", || socket.exists())?;
    let file = root.join("nginx.conf");
    fs::write(&file, configuration(root, address, workers)?)?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(root).arg("-e").arg(root.join("error.log")).arg("-c").arg(&file);
    // Below /usr/sbin, which is not everybody's to search.
    let path = std::env::var("PATH").unwrap_or_default();
    nginx.env("PATH", format!("{path}:/usr/sbin"));
    let mut nginx = Program::start("nginx", &mut nginx, root, cores)?;
    nginx.wait_until_it_serves(address, SMALL)?;
    let front = usage::children(nginx.pid())?;
    ensure!(front.len() == workers, "{workers} workers were asked for, but there are {front:?}");
    Ok(Server {
        name: "nginx",
        address,
        front,
        behind: vec![site.pid()],
        _programs: vec![nginx, site],
        _data: None,
        _directory: directory,
    })
}

/// Connections are kept on both sides, nothing is logged, bodies pass through memory and never a file. It adds to
/// requests and responses what Outboard adds, and finds its way among as many places.
fn configuration(root: &Path, address: SocketAddr, workers: usize) -> Result<String> {
    let root = root.display();
    let mut text = String::new();
    if geteuid().is_root() {
        // Else the workers become another user, who may not see the socket.
        writeln!(text, "user root;")?;
    }
    write!(
        text,
        "daemon off;
worker_processes {workers};
worker_rlimit_nofile 16384;
pid {root}/pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path {root}/client;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_buffers 16 16k;
  proxy_buffer_size 16k;
  proxy_request_buffering off;
  proxy_set_header Connection \"\";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Request-Id $request_id;
  add_header X-Request-Id $request_id;
  upstream site {{
    server unix:{root}/site;
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {address};
"
    )?;
    for place in 0..PLACES {
        writeln!(text, "    location /api/site/place-{place}/ {{ proxy_pass http://site; }}")?;
    }
    for stream in ["download", "upload"] {
        writeln!(text, "    location = /api/site/{stream} {{ proxy_pass http://site; }}")?;
    }
    text.push_str("  }\n}\n");
    Ok(text)
}
