//! Several endpoints on one path.

use bytes::Bytes;
use outboard_proto::plugin::v1::{HandleRequest, HandleResponse, Outcome};

use crate::client::{get, post};
use crate::fixture::{Answer, Setup, answer, ok};

fn step(request: &HandleRequest) -> u32 {
    request.r#match.as_ref().unwrap().endpoint_id
}

/// Goes on, leaving its number at the end of the context and of the body.
fn note(request: &HandleRequest, outcome: Outcome) -> Answer {
    let add = |bytes: &Bytes| [&bytes[..], step(request).to_string().as_bytes()].concat();
    let mut noted = answer(outcome, 200 + step(request), &[], add(&request.response_body))?;
    noted.context = add(&request.context).into();
    Ok(noted)
}

fn silent(outcome: Outcome) -> HandleResponse {
    HandleResponse { outcome: outcome.into(), ..HandleResponse::default() }
}

#[tokio::test]
async fn steps_run_by_priority_and_hand_on_context_and_response() {
    let mut setup = Setup::new(&["POST x", "* *", "POST :y", "POST x"]);
    for (endpoint, priority) in setup.endpoints.iter_mut().zip([5, 9, 5, 0]) {
        endpoint.priority = priority;
    }
    let fixture = setup
        .start(|request| async move {
            assert_eq!(request.body, "body", "each step gets the body");
            if step(&request) == 2 {
                assert_eq!(request.response.unwrap().status, 203);
                return ok([&request.response_body[..], b" ", &request.context].concat());
            }
            note(&request, Outcome::Continue)
        })
        .await;
    let reply = post(fixture.address, "/api/shop/x", "body").await;
    assert_eq!((reply.status, reply.text()), (200, "413 413".to_owned()));
}

#[tokio::test]
async fn the_last_step_may_go_on_and_the_response_is_sent() {
    let fixture = Setup::new(&["GET *", "GET x"])
        .start(|request| async move { note(&request, Outcome::Continue) })
        .await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.text()), (202, "12".to_owned()));
}

#[tokio::test]
async fn a_step_that_says_nothing_leaves_the_response_as_it_is() {
    let fixture = Setup::new(&["GET *", "GET x"])
        .start(|request| async move {
            if step(&request) == 1 {
                note(&request, Outcome::Continue)
            } else {
                Ok(silent(Outcome::Unspecified))
            }
        })
        .await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.text()), (201, "1".to_owned()));
    let fixture = Setup::new(&["GET x"]).start(|_| async { Ok(silent(Outcome::Continue)) }).await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("0")));
}

#[tokio::test]
async fn refusing_or_failing_ends_the_chain() {
    let check = async |outcome: Outcome| {
        let mut setup = Setup::new(&["GET x", "GET *"]);
        setup.endpoints[0].filter = true;
        let fixture = setup
            .start(move |request| async move {
                assert_eq!(step(&request), 1, "no step after the end");
                answer(outcome, 200, &[("www-authenticate", "Basic")], "secret of the plugin")
            })
            .await;
        get(fixture.address, "/api/shop/x").await
    };
    let refused = check(Outcome::Refuse).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic")));
    assert_eq!(refused.text(), "secret of the plugin");
    let failed = check(Outcome::Fail).await;
    assert_eq!((failed.status, failed.error()), (500, "internal error".to_owned()));
    assert!(!failed.text().contains("secret"));
}

#[tokio::test]
async fn what_a_step_hands_on_is_bounded() {
    let handing_on = async |bytes: usize| {
        let fixture = Setup::new(&["GET x", "GET *"])
            .start(move |request| async move {
                if step(&request) == 2 {
                    return ok(request.context.len().to_string());
                }
                let context = vec![b'x'; bytes].into();
                Ok(HandleResponse {
                    outcome: Outcome::Continue.into(),
                    context,
                    ..HandleResponse::default()
                })
            })
            .await;
        get(fixture.address, "/api/shop/x").await
    };
    assert_eq!(handing_on(64 << 10).await.text(), "65536");
    let reply = handing_on((64 << 10) + 1).await;
    assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()));
}
