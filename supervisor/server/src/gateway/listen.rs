//! The listening sockets: one for each worker, all at one address, among which the kernel spreads clients.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

/// How many clients may wait to be accepted. The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// When to ask a client of which nothing is heard whether it is still there, and when to give it up: a machine
/// that was switched off never says so.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_mins(1))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);
/// How often a port is chosen anew when somebody else takes the one that was found free.
const ATTEMPTS: usize = 8;
/// Pause after accepting failed for want of file descriptors or memory, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes `address` with that many sockets.
pub(super) fn bind(
    address: SocketAddr,
    count: NonZeroUsize,
) -> Result<Vec<TcpListener>, BindError> {
    let mut attempts = if address.port() == 0 { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match try_bind(address, count) {
            Ok(listeners) => return Ok(listeners),
            Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(BindError { address, error }),
        }
    }
}

/// Sockets that share a port share it also with those of another process, so it is seen to first that nobody
/// listens there, which is what a socket that shares nothing tells.
fn try_bind(address: SocketAddr, count: NonZeroUsize) -> io::Result<Vec<TcpListener>> {
    let alone = listener(address, false)?;
    let address = alone.local_addr()?;
    drop(alone);
    (0..count.get()).map(|_| listener(address, true)).collect()
}

fn listener(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Else a restart would have to wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    // What is accepted inherits both. A reply is written whole, so waiting for more would only delay it.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The next client.
pub(super) async fn accept(listener: &tokio::net::TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "the gateway cannot accept connections; raise the limit of open files (ulimit -n) or lower gateway.max_connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("gateway.listen \"{address}\": {}", advice(error, address.port()))]
pub struct BindError {
    address: SocketAddr,
    #[source]
    error: io::Error,
}

/// What to do when an address could not be taken.
pub(crate) fn advice(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the address is in use; stop what listens there (`ss -ltnp 'sport = :{port}'` names it) or choose \
             another port"
        ),
        io::ErrorKind::PermissionDenied => {
            "permission denied; use a port above 1023 or grant CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has the address; use one that `ip address` shows, or 0.0.0.0 for all"
                .to_owned()
        }
        _ => format!("{error}; choose another address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    const ANY: &str = "127.0.0.1:0";

    #[test]
    fn all_sockets_have_one_port() {
        let listeners = bind(ANY.parse().unwrap(), count(4)).unwrap();
        let address = listeners[0].local_addr().unwrap();
        assert!(address.port() != 0 && listeners.len() == 4);
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
    }

    #[test]
    fn a_port_that_others_would_share_is_not_taken() {
        let taken = listener(ANY.parse().unwrap(), true).unwrap();
        let error = bind(taken.local_addr().unwrap(), count(2)).unwrap_err();
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn what_is_accepted_neither_waits_for_more_to_send_nor_forgets_to_ask() {
        let listeners = bind(ANY.parse().unwrap(), count(1)).unwrap();
        let listener = listeners.into_iter().next().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = accept(&listener).await;
        let stream = socket2::SockRef::from(&stream);
        assert!(stream.tcp_nodelay().unwrap() && stream.keepalive().unwrap());
        assert_eq!(stream.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
    }
}
