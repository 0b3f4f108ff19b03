//! Connections that stay: events, a WebSocket, and what comes before a response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, stream};
use outboard_sdk::header::{LINK, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use outboard_sdk::{Failure, HeaderMap, HeaderValue, Request, Response, StatusCode, Upgraded, sse};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use crate::Instance;
use crate::handlers::{bad_request, number};

/// A message is held in memory until it is whole.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// `GET sse?count=&ms=`: that many events, with that time before each but the first.
pub(crate) async fn events(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let count = number(&request, "count", 10)?;
    let pause = Duration::from_millis(number(&request, "ms", 100)?);
    let events = stream::iter(0..count).then(move |number| async move {
        tokio::time::sleep(if number == 0 { Duration::ZERO } else { pause }).await;
        Ok::<_, Infallible>(sse::Event::data(format!("event {number}")).id(number))
    });
    Ok(Response::sse(events))
}

/// `GET hints`: says early what the page will need.
pub(crate) async fn hints(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let style = HeaderValue::from_static("</style.css>; rel=preload; as=style");
    request.inform(StatusCode::EARLY_HINTS, &HeaderMap::from_iter([(LINK, style.clone())]))?;
    Ok(Response::html("<link rel=stylesheet href=/style.css>\n").header(LINK, style))
}

/// `GET ws`: a WebSocket that says everything back.
pub(crate) async fn socket(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    // The handshake is RFC 6455 section 4.2.2.
    if request.header(SEC_WEBSOCKET_VERSION.as_str()) != Some("13") {
        let version = HeaderValue::from_static("13");
        let response = Response::new().status(StatusCode::UPGRADE_REQUIRED);
        return Ok(response.header(SEC_WEBSOCKET_VERSION, version));
    }
    let Some(key) = request.header(SEC_WEBSOCKET_KEY.as_str()) else {
        return Err(bad_request("a WebSocket begins with a key"));
    };
    let accept = derive_accept_key(key.as_bytes()).try_into()?;
    Ok(Response::upgrade(&request, "websocket", echo).header(SEC_WEBSOCKET_ACCEPT, accept))
}

async fn echo(connection: Upgraded) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
    let mut socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    // Pings and the closing handshake are answered by reading on.
    while let Some(message) = socket.next().await {
        let sent = match message {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message).await,
            Ok(_) => Ok(()),
            Err(error) => return refuse(&mut socket, &error).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Says what was wrong before the connection ends (RFC 6455 section 7.1.7).
async fn refuse(socket: &mut WebSocketStream<Upgraded>, error: &Error) {
    let code = match error {
        Error::Protocol(_) => CloseCode::Protocol,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(_) => CloseCode::Size,
        _ => return,
    };
    // Whoever broke the rules may be gone by now, too.
    let _ = socket.close(Some(CloseFrame { code, reason: "".into() })).await;
}
