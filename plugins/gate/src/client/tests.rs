//! The client against a real server on a socket, which says what the test wants, as it wants.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

const ANN: &str = "ann@example.org";
const TOKEN: &str = "JBSWY3DPEHPK3PXP";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A server in Gate's place, and the heads of the requests that it got.
struct Place {
    host: String,
    heads: mpsc::UnboundedReceiver<String>,
}

impl Place {
    /// Sends these pieces to whoever asks, a moment after each other, and then closes or holds on.
    async fn answering(pieces: Vec<Vec<u8>>, holds: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (pieces, sender) = (pieces.clone(), sender.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let _ = sender.send(String::from_utf8(head).unwrap());
                    for piece in pieces {
                        if stream.write_all(&piece).await.is_err() {
                            return;
                        }
                    }
                    // Until the other side has had enough.
                    while holds && stream.read_u8().await.is_ok() {}
                });
            }
        });
        Self { host, heads }
    }

    async fn saying(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        Self::answering(vec![text.into_bytes()], false).await
    }

    async fn json(body: &str) -> Self {
        Self::saying("200 OK", "content-type: application/json; charset=utf-8\r\n", body).await
    }

    fn gate(&self, timeout: Duration) -> Gate {
        gate("http", &self.host, timeout)
    }

    async fn asked(&self) -> Result<User, AuthError> {
        self.gate(TIMEOUT).user(ANN, TOKEN).await
    }

    fn heads(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heads.try_recv().ok()).collect()
    }
}

fn gate(protocol: &str, host: &str, timeout: Duration) -> Gate {
    Gate::new(Profiles::new(protocol, host, "api/v1/users/profile").unwrap(), timeout).unwrap()
}

fn profile(email: &str) -> String {
    format!(
        r#"{{"email": "{email}", "id": 1, "uid": null, "name": "Ann", "active": true, "admin": false,
            "groups": [{{"id": 9001, "name": "system"}}, {{"id": 9002, "name": "proctor_executor"}}]}}"#
    )
}

/// Nobody gets in, for the reason that the client is not told.
#[track_caller]
fn refused(asked: Result<User, AuthError>, reason: RefusalReason) -> AuthError {
    let refusal = asked.unwrap_err();
    assert_eq!(refusal.refusal(), Some(reason), "{refusal}");
    assert!(!refusal.message().contains(TOKEN), "{refusal}");
    refusal
}

/// Nobody gets in, but nobody is refused; and neither the token nor whom it was about is in the words.
#[track_caller]
fn trouble(asked: Result<User, AuthError>, words: &str) {
    let trouble = asked.unwrap_err();
    assert_eq!(trouble.refusal(), None, "{trouble}");
    let message = trouble.message();
    assert!(message.contains(words) && !message.contains(TOKEN), "{message}");
    assert!(!message.contains("ann@") && !message.contains("ann%40"), "{message}");
}

#[tokio::test]
async fn case_35_41_a_user_comes_back_with_the_groups_in_order() {
    let mut place = Place::json(&profile(ANN)).await;
    let groups = ["system", "proctor_executor"].map(str::to_owned).to_vec();
    let expected = User { name: "Ann".into(), email: ANN.into(), active: true, groups };
    assert_eq!(place.asked().await, Ok(expected));

    let heads = place.heads();
    let [head] = &heads[..] else { panic!("{heads:?}") };
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("GET /api/v1/users/profile?email=ann%40example.org HTTP/1.1"));
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\naccept: application/json\r\n"), "{head}");
    let authorization = format!("\r\nauthorization: bearer {}\r\n", TOKEN.to_ascii_lowercase());
    assert!(head.contains(&authorization), "{head}");
}

#[tokio::test]
async fn case_36_42_a_wrong_token_is_refused() {
    let asked = Place::saying("401 Unauthorized", "", "").await.asked().await;
    refused(asked, RefusalReason::Token);
}

#[tokio::test]
async fn case_37_43_an_unknown_user_is_refused() {
    let asked = Place::saying("404 Not Found", "", "").await.asked().await;
    let refusal = refused(asked, RefusalReason::User);
    assert!(refusal.message().contains(ANN), "{refusal}");
}

#[tokio::test]
async fn case_44_n08_a_gate_that_is_down_for_now_refuses_nobody_and_lets_nobody_in() {
    trouble(Place::saying("503 Service Unavailable", "", "try later").await.asked().await, "503");
}

#[tokio::test]
async fn case_45_n08_a_gate_that_is_away_is_no_refusal() {
    // Bound and dropped: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    trouble(gate("http", &host, TIMEOUT).user(ANN, TOKEN).await, "refused");
    trouble(gate("http", &host, TIMEOUT).user(ANN, TOKEN).await, &host);
}

#[tokio::test]
async fn n09_a_redirect_is_not_followed_and_the_token_goes_nowhere_else() {
    let mut elsewhere = Place::json(&profile(ANN)).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("location: http://{}/login?user=ann\r\n", elsewhere.host);
        trouble(Place::saying(status, &location, "").await.asked().await, "redirect");
    }
    assert_eq!(elsewhere.heads(), [] as [String; 0]);
}

#[tokio::test]
async fn n09_a_login_page_or_nothing_is_nobody() {
    let page = Place::saying("200 OK", "content-type: text/html\r\n", "<html>").await;
    trouble(page.asked().await, "no JSON");
    trouble(Place::saying("204 No Content", "", "").await.asked().await, "204");
}

#[tokio::test]
async fn the_profile_of_somebody_else_is_refused() {
    let asked = Place::json(&profile("bob@example.org")).await.asked().await;
    refused(asked, RefusalReason::Owner);
}

#[tokio::test]
async fn a_gate_that_never_answers_is_given_up_in_time() {
    for begun in
        [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"]
    {
        let place = Place::answering(vec![begun.to_vec()], true).await;
        let begin = Instant::now();
        let asked = place.gate(Duration::from_millis(200)).user(ANN, TOKEN).await;
        assert!(begin.elapsed() < TIMEOUT);
        trouble(asked, "in time");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let mut pieces = vec![b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec()];
    pieces.extend(std::iter::repeat_n(vec![b' '; 64 * 1024], 1000));
    trouble(Place::answering(pieces, true).await.asked().await, "larger than");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_nobody() {
    let whole = profile(ANN);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let text = format!("{head}content-length: {}\r\n\r\n{}", whole.len() + 1, whole);
    trouble(Place::answering(vec![text.into_bytes()], false).await.asked().await, "");
    trouble(Place::answering(vec![b"SSH-2.0\r\n".to_vec()], false).await.asked().await, "");
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_talked_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        // Whatever it is that speaks there, it is no TLS.
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    });
    trouble(gate("https", &host, TIMEOUT).user(ANN, TOKEN).await, "can't be reached");
}

#[tokio::test]
async fn a_token_that_is_none_is_not_even_sent() {
    let mut place = Place::json(&profile(ANN)).await;
    for token in ["two words", "a\r\nx-evil: 1", "ünï"] {
        refused(place.gate(TIMEOUT).user(ANN, token).await, RefusalReason::Token);
    }
    assert_eq!(place.heads(), [] as [String; 0]);
}
