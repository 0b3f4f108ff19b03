mod server;

use std::fs;
use std::sync::Arc;

use outboard_sdk::{Delivery, Event, Notifier as _, NotifyError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::parameters::Parameters;
use crate::{Instance, Mail};
use server::{Security, Server, Taken};

const PASSWORD: &str = "TOPSECRET";

fn read(parameters: Value) -> Result<Arc<Instance>, Vec<String>> {
    let parameters: Parameters = serde_json::from_value(parameters).unwrap();
    let read = parameters.read().map(Arc::new);
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// For a server of this host that is not encrypted.
fn plain(server: &Server) -> Value {
    json!({
        "server": "localhost", "port": server.port, "tls": "none", "timeout": "1s",
        "from": "Outboard <outboard@example.org>", "to": ["ann@example.org", "Bob <bob@example.org>"],
    })
}

fn event() -> Event {
    let mut event = Event::new("deploy.done").about("web").json(&json!({"by": "ann"}));
    (event.id, event.source) = ("7".to_owned(), "/ci".to_owned());
    event
}

async fn notify(parameters: Value, event: Event) -> Result<(), NotifyError> {
    Mail.on_notify(read(parameters).unwrap(), Delivery::new("d-1", event)).await
}

/// Sends one mail to a server with those manners.
async fn exchange(
    answers: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> (Result<(), NotifyError>, Vec<Taken>) {
    let server = Server::start(Security::None, answers).await;
    let mut parameters = plain(&server);
    (parameters["user"], parameters["password"]) = (json!("ann"), json!(PASSWORD));
    (notify(parameters, event()).await, server.taken())
}

/// Sends one event, and gives its mail.
async fn mail(event: Event) -> Taken {
    let server = Server::start(Security::None, []).await;
    notify(plain(&server), event).await.unwrap();
    let mut taken = server.taken();
    assert_eq!(taken.len(), 1);
    taken.remove(0)
}

impl Taken {
    /// Header fields, unfolded.
    fn fields(&self) -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        for line in self.lines.iter().take_while(|line| !line.is_empty()) {
            match fields.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
                Some(field) => field.push_str(line),
                None => fields.push(line.clone()),
            }
        }
        fields
    }

    fn field(&self, name: &str) -> Option<String> {
        let fields = self.fields();
        fields.iter().find_map(|it| it.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
    }

    fn text(&self) -> String {
        let head = self.lines.iter().position(String::is_empty).unwrap();
        self.lines[head + 1..].join("\n")
    }
}

#[tokio::test]
async fn an_event_is_one_mail_to_all_recipients() {
    let mail = mail(event()).await;
    assert_eq!(mail.hello, "EHLO example.org");
    assert_eq!(mail.from, "MAIL FROM:<outboard@example.org>");
    assert_eq!(mail.to, ["RCPT TO:<ann@example.org>", "RCPT TO:<bob@example.org>"]);
    assert_eq!(mail.user, None);
    let field = |name| mail.field(name).unwrap();
    assert_eq!(field("Subject"), "deploy.done: web");
    assert_eq!(field("From"), "Outboard <outboard@example.org>");
    assert_eq!(field("To"), "ann@example.org, Bob <bob@example.org>");
    assert_eq!(field("Message-ID"), "<d-1@example.org>");
    assert_eq!(field("Auto-Submitted"), "auto-generated");
    assert!(field("Content-Type").starts_with("text/plain; charset=utf-8"));
    assert!(mail.field("Date").is_some());
    let text = mail.text();
    for line in ["type: deploy.done", "source: /ci", "id: 7", "  \"by\": \"ann\""] {
        assert!(text.lines().any(|it| it == line), "{line:?} in {text}");
    }
}

#[tokio::test]
async fn nothing_that_an_event_says_becomes_a_header_or_a_command() {
    let evil = "x\r\nBcc: eve@example.org\r\n\r\n.\r\nMAIL FROM:<eve@example.org>\u{2028}\0";
    let mut event = Event::new("t").about(evil).json(&json!({ "a": evil }));
    (event.id, event.source) = (evil.to_owned(), evil.to_owned());
    event.extensions.insert("x".to_owned(), evil.to_owned());
    event.data = evil.as_bytes().to_vec().into();
    event.data_content_type = "text/plain".to_owned();
    let mail = mail(event).await;
    assert_eq!(mail.to.len(), 2);
    let names: Vec<String> = mail
        .fields()
        .iter()
        .map(|field| field.split(':').next().unwrap().to_ascii_lowercase())
        .collect();
    let expected = [
        "from",
        "to",
        "date",
        "subject",
        "message-id",
        "auto-submitted",
        "content-type",
        "content-transfer-encoding",
    ];
    for name in &names {
        assert!(expected.contains(&name.as_str()), "{name} in {names:?}");
    }
    assert!(mail.field("Subject").unwrap().contains("Bcc: eve@example.org"), "as text");
}

#[tokio::test]
async fn a_mail_in_any_script_and_of_any_length_arrives() {
    let mail = mail(Event::new("t").about("größer 🦀").json(&json!("ü".repeat(1024 * 1024)))).await;
    let subject = mail.field("Subject").unwrap();
    assert!(subject.is_ascii() && subject.contains("=?utf-8?"), "{subject}");
    assert!(mail.lines.iter().all(|line| line.len() <= 998));
    assert!(mail.lines.iter().map(String::len).sum::<usize>() < 1024 * 1024);
}

#[tokio::test]
async fn what_a_server_refuses_for_good_is_given_up_and_all_else_is_tried_again() {
    for (command, answer, is_final) in [
        ("EHLO", "421 too busy", false),
        ("AUTH", "454 not now", false),
        ("AUTH", "535 wrong password", false),
        ("MAIL", "451 not now", false),
        ("MAIL", "550 not from you", true),
        ("RCPT TO:<bob", "450 greylisted", false),
        ("RCPT TO:<bob", "550 no such user", true),
        ("DATA", "452 full", false),
        ("DATA", "554 no", true),
        ("end of data", "452 full", false),
        ("end of data", "552 too large", true),
    ] {
        let (outcome, taken) = exchange([(command, answer)]).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.is_final(), is_final, "{command}: {error}");
        let (code, words) = answer.split_once(' ').unwrap();
        assert!(error.message().contains(code) && error.message().contains(words), "{error}");
        assert!(taken.is_empty(), "{command}: to all or to nobody");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_gone_or_nonsense_is_tried_again() {
    for (command, answer) in [("MAIL", ""), ("end of data", ""), ("MAIL", "nonsense")] {
        let error = exchange([(command, answer)]).await.0.unwrap_err();
        assert!(!error.is_final(), "{error}");
    }
    let server = Server::start(Security::None, []).await;
    let mut parameters = plain(&server);
    parameters["port"] = json!(1);
    let error = notify(parameters, event()).await.unwrap_err();
    assert!(!error.is_final() && error.message().contains("can't be used"), "{error}");
}

#[tokio::test]
async fn no_error_shows_the_password() {
    // What the password is as base64, alone and with its user.
    for answer in ["535 TOPSECRET", "535 VE9QU0VDUkVU", "535 AGFubgBUT1BTRUNSRVQ="] {
        let error = exchange([("AUTH", answer)]).await.0.unwrap_err();
        let secret = answer.strip_prefix("535 ").unwrap();
        assert!(!error.message().contains(secret), "{error}");
        assert!(error.message().contains("***"), "{error}");
    }
}

#[tokio::test]
async fn over_tls_a_server_must_be_who_it_should_be_and_password_and_mail_are_encrypted() {
    for (security, word) in [(Security::StartTls, "starttls"), (Security::Tls, "tls")] {
        let server = Server::start(security, []).await;
        let dir = TempDir::new().unwrap();
        let ca = dir.path().join("ca.pem");
        fs::write(&ca, &server.pem).unwrap();
        let mut parameters = plain(&server);
        parameters["tls"] = json!(word);
        parameters["timeout"] = json!("5s");
        (parameters["user"], parameters["password"]) = (json!("ann"), json!(PASSWORD));
        let stranger = notify(parameters.clone(), event()).await.unwrap_err();
        assert!(!stranger.is_final() && stranger.message().contains("certificate"), "{stranger}");
        parameters["ca"] = json!(ca);
        notify(parameters, event()).await.unwrap();
        let [mail] = &server.taken()[..] else { panic!("{word}") };
        assert!(mail.is_encrypted, "{word}");
        assert_eq!(mail.user.as_deref(), Some("AUTH PLAIN AGFubgBUT1BTRUNSRVQ="));
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let server = Server::start(Security::None, []).await;
    let mut parameters = plain(&server);
    parameters["tls"] = json!("starttls");
    (parameters["user"], parameters["password"]) = (json!("ann"), json!(PASSWORD));
    let error = notify(parameters, event()).await.unwrap_err();
    assert!(!error.is_final(), "{error}");
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn an_operators_own_words_are_sent_and_a_template_without_words_sends_nothing() {
    let server = Server::start(Security::None, []).await;
    let mut parameters = plain(&server);
    parameters["subjects"] =
        json!({"deploy.*": "{{ data.by }} did <it>\nBcc: x", "broken": "{{ data.x + 1 }}"});
    parameters["templates"] =
        json!({"deploy.*": "Look: {{ source }} & {{ delivery.id }}", "quiet": " "});
    let instance = read(parameters).unwrap();
    for event in [event(), Event::new("quiet"), Event::new("broken")] {
        Mail.on_notify(Arc::clone(&instance), Delivery::new("d-1", event)).await.unwrap();
    }
    let [own, broken] = &server.taken()[..] else { panic!("{:?}", server.taken()) };
    assert_eq!(own.field("Subject").unwrap(), "ann did <it> Bcc: x");
    assert_eq!(own.text().trim_end(), "Look: /ci & d-1");
    assert_eq!(broken.field("Subject").unwrap(), "broken");
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_and_the_password_is_not() {
    let wrong = json!({
        "server": "mail example", "port": 0, "tls": "tls", "ca": "/nowhere/ca.pem",
        "password": PASSWORD, "hello": "a b", "from": "nobody", "timeout": "1h",
        "to": ["ann@example.org", "bob", "eve@example.org\r\nBcc: x@example.org"],
        "subjects": {"a": "{{"}, "templates": {"*b": ""},
    });
    let problems = read(wrong).err().unwrap();
    let starts = [
        "/from: ",
        "/to/1: ",
        "/to/2: ",
        "/subjects/a: ",
        "/templates/*b: ",
        "/timeout: ",
        "/server: ",
        "/port: ",
        "/user: ",
        "/ca: ",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem} instead of {start}");
        assert!(!problem.contains(PASSWORD), "{problem}");
    }
    let bare = read(json!({})).err().unwrap();
    for start in ["/from: ", "/to: is empty", "/server: is empty"] {
        assert!(bare.iter().any(|it| it.starts_with(start)), "{start} in {bare:?}");
    }
}

#[tokio::test]
async fn without_encryption_only_this_host_is_served_unless_the_operator_says_so() {
    let with = |server: &str, unencrypted: bool| {
        read(json!({
            "server": server, "tls": "none", "unencrypted": unencrypted,
            "from": "a@example.org", "to": ["b@example.org"],
        }))
    };
    for (server, good) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("mail.example.org", false),
        ("127.0.0.1.example.org", false),
        ("192.0.2.1", false),
    ] {
        assert_eq!(with(server, false).is_ok(), good, "{server}");
        assert!(with(server, true).is_ok(), "{server}");
    }
}
