pub(crate) mod validator;

use std::sync::Arc;
use std::time::Duration;

use outboard_sdk::{Delivery, Event, Notifier as _, NotifyError};
use outboard_sending::lab::{Reply, Sent, Server, say};
use serde_json::{Value, json};

use crate::parameters::Parameters;
use crate::{Instance, Slack};
use validator::validate;

/// The part of a webhook's URL that must never be seen.
const SECRET: &str = "services/T0TOPSECRET/B0HUSH/xoxPRIVATE";

fn parameters(parameters: Value) -> Parameters {
    serde_json::from_value(parameters).unwrap()
}

fn instance(parameters_: Value) -> Arc<Instance> {
    Arc::new(parameters(parameters_).read_with(None).unwrap())
}

fn execution() -> Event {
    let content = json!({"JobName": "a-job", "Status": "CREATED"});
    let data = json!({"user": {"email": "ann@example.org"}, "content": content});
    Event::new("EXECUTION_EVENT").json(&data)
}

async fn post(url: &str, event: Event) -> Result<(), NotifyError> {
    let instance = instance(json!({ "url": url, "timeout": "1s" }));
    Slack.on_notify(instance, Delivery::new("d-1", event)).await
}

/// Posts one event, and gives what came of it and what the server got.
async fn exchange(reply: Reply, event: Event) -> (Result<(), NotifyError>, Vec<Sent>) {
    let server = Server::start([reply]).await;
    let outcome = post(&server.url(SECRET), event).await;
    (outcome, server.sent())
}

#[tokio::test]
async fn case_51_and_57_an_execution_is_one_post_of_a_block_message() {
    let (outcome, sent) = exchange(say(200, "ok"), execution()).await;
    assert_eq!(outcome, Ok(()));
    let [post] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((post.method.as_str(), post.path.as_str()), ("POST", format!("/{SECRET}").as_str()));
    assert_eq!(post.headers["content-type"], "application/json");
    let message: Value = serde_json::from_slice(&post.body).unwrap();
    validate(&message).unwrap();
    assert_eq!(message["blocks"][0]["fields"][1]["text"], "a-job");
}

#[tokio::test]
async fn case_53_another_event_is_a_plain_message() {
    let (outcome, sent) = exchange(say(200, "ok"), Event::new("other")).await;
    assert_eq!(outcome, Ok(()));
    let message: Value = serde_json::from_slice(&sent[0].body).unwrap();
    validate(&message).unwrap();
    assert_eq!(message.as_object().unwrap().len(), 1, "{message}");
}

#[tokio::test]
async fn case_52_and_59_who_can_not_be_reached_is_tried_again_and_not_at_once() {
    let server = Server::start([Reply::Close]).await;
    let error = post(&server.url(SECRET), execution()).await.unwrap_err();
    assert!(!error.is_final(), "{error}");
    assert_eq!(server.sent().len(), 1);
    drop(server);

    let closed = post(&format!("http://127.0.0.1:1/{SECRET}"), execution()).await.unwrap_err();
    assert!(closed.message().contains("can't be reached"), "{closed}");
    assert!(!closed.is_final());
}

/// Each error that Slack documents, and what is to be done about it.
#[tokio::test]
async fn case_60_each_error_of_slacks_is_told_in_its_words_and_retried_only_if_that_may_help() {
    for (status, body, is_final) in [
        (400, "invalid_payload", true),
        (400, "invalid_blocks", true),
        (400, "no_text", true),
        (400, "too_many_attachments", true),
        (400, "missing_text_or_fallback_or_attachments", true),
        (400, "user_not_found", true),
        (403, "action_prohibited", true),
        (403, "invalid_token", true),
        (403, "posting_to_general_channel_denied", true),
        (404, "channel_not_found", true),
        (404, "no_service", true),
        (404, "no_service_id", true),
        (404, "no_active_hooks", true),
        (404, "no_team", true),
        (404, "team_disabled", true),
        (410, "channel_is_archived", true),
        (429, "{\"ok\":false,\"error\":\"rate_limited\"}", false),
        (500, "rollup_error", false),
        (502, "bad gateway", false),
        (503, "service_unavailable", false),
    ] {
        let (outcome, sent) = exchange(say(status, body), execution()).await;
        let error = outcome.unwrap_err();
        assert!(error.message().contains(body), "{error}");
        assert!(error.message().contains(&status.to_string()), "{error}");
        assert_eq!(error.is_final(), is_final, "{status} {body}");
        assert_eq!(sent.len(), 1, "nothing is sent twice by the plugin itself");
    }
}

#[tokio::test]
async fn n16_slacks_wait_is_passed_on_and_an_empty_error_is_not() {
    let busy = Reply::Say(429, vec![("retry-after", "2".to_owned())], "rate_limited".to_owned());
    let error = exchange(busy, execution()).await.0.unwrap_err();
    assert_eq!((error.is_final(), error.retry_after()), (false, Some(Duration::from_secs(2))));
    let error = exchange(say(503, ""), execution()).await.0.unwrap_err();
    assert!(error.message().contains("said nothing"), "{error}");
    assert_eq!((error.is_final(), error.retry_after()), (false, None));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        let to = vec![("location", elsewhere.url("login?from=T0TOPSECRET"))];
        let reply = Reply::Say(status, to, String::new());
        let error = exchange(reply, execution()).await.0.unwrap_err();
        assert!(error.is_final(), "{status}: {error}");
        assert!(!error.message().contains("TOPSECRET"), "{error}");
    }
    assert_eq!(elsewhere.sent().len(), 0);
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    let html = vec![("content-type", "text/html; charset=utf-8".to_owned())];
    let page = Reply::Say(200, html, "<html>Please log in".to_owned());
    let error = exchange(page, execution()).await.0.unwrap_err();
    assert!(!error.is_final() && error.message().contains("web page"), "{error}");
}

#[tokio::test]
async fn who_never_answers_is_given_up_in_time() {
    let error = exchange(Reply::Hang, execution()).await.0.unwrap_err();
    assert!(!error.is_final() && error.message().contains("in time"), "{error}");
}

/// The URL is the secret: whoever has it can post.
#[tokio::test]
async fn the_url_is_in_no_error_even_if_the_receiver_says_it() {
    let mut errors = Vec::new();
    let echo = format!("no such hook: /{SECRET} (xoxPRIVATE)");
    for reply in [say(404, echo), Reply::Close, Reply::Hang, say(500, "T0TOPSECRET")] {
        errors.push(exchange(reply, execution()).await.0.unwrap_err());
    }
    for url in [format!("http://127.0.0.1:1/{SECRET}"), format!("https://name.invalid/{SECRET}")] {
        errors.push(post(&url, execution()).await.unwrap_err());
    }
    for error in errors {
        for secret in ["TOPSECRET", "B0HUSH", "PRIVATE"] {
            assert!(!error.message().contains(secret), "{error}");
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
}

#[tokio::test]
async fn an_operators_own_text_is_sent_in_the_place_of_ours() {
    let server = Server::start([]).await;
    let templates = json!({
        "EXECUTION_EVENT": "*{{ data.content.JobName }}* by {{ data.user.email }} <!here>",
        "quiet.*": "{% if data %}never{% endif %}",
        "broken": "{{ data.x + 1 }}",
    });
    let instance = instance(json!({ "url": server.url(SECRET), "templates": templates }));
    let mut event = execution();
    event.data = String::from_utf8(event.data.to_vec()).unwrap().replace("a-job", "<!all>").into();
    for event in [event, Event::new("quiet.1"), Event::new("broken"), execution()] {
        let delivery = Delivery::new("d-1", event);
        Slack.on_notify(Arc::clone(&instance), delivery).await.unwrap();
    }
    let sent: Vec<Value> =
        server.sent().iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    for message in &sent {
        validate(message).unwrap();
    }
    let texts: Vec<_> = sent.iter().map(|message| message["text"].as_str().unwrap()).collect();
    let theirs = "*&lt;!all&gt;* by ann@example.org <!here>";
    assert_eq!(texts[0], theirs, "what an event says is no markup");
    assert_eq!(texts[1], "Source: \nbroken", "a template that can't be rendered loses no event");
    assert_eq!(texts[2], "*a-job* by ann@example.org <!here>");
    assert_eq!(texts.len(), 3, "the quiet one was not sent");
}

#[test]
fn everything_that_is_wrong_is_named_and_the_url_is_not() {
    let wrong = json!({
        "url": format!("ftp://example.org/{SECRET}"),
        "timeout": "1h",
        "ca": "/nowhere/ca.pem",
        "templates": {"a": "{{ x", "*b": ""},
    });
    let problems = parameters(wrong).read_with(None).err().unwrap();
    let pointers: Vec<&str> = problems.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(pointers, ["/url", "/timeout", "/templates/*b", "/templates/a", "/ca"]);
    assert!(!format!("{problems:?}").contains("TOPSECRET"));
}

#[test]
fn the_url_may_come_from_the_environment_and_the_parameter_goes_first() {
    let read = |written: Value, variable: Option<&str>| {
        let read = parameters(written).read_with(variable.map(str::to_owned));
        read.map(drop).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    };
    let nothing: Result<(), Vec<String>> = read(json!({}), None);
    assert!(nothing.unwrap_err()[0].contains("SLACK_PLUGIN_URL"));
    assert_eq!(read(json!({}), Some("https://hooks.example.org/a")), Ok(()));
    assert_eq!(read(json!({"url": "https://hooks.example.org/a"}), Some("nonsense")), Ok(()));
    let problems = read(json!({}), Some("nonsense")).unwrap_err();
    assert!(problems[0].contains("SLACK_PLUGIN_URL is no URL"), "{problems:?}");
}
