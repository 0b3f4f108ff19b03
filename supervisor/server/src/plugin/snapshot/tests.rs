use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use outboard_core::route::{EndpointSpec, Endpoints};

use super::*;
use crate::plugin::backend::Way;
use crate::plugin::reach::Capabilities;

fn activation(id: &str, instance: &str) -> Arc<Activation> {
    let backend = Arc::new(Backend::new("plugin", Way::Plain, std::future::pending));
    let nowhere = tonic::transport::Endpoint::from_static("http://localhost").connect_lazy();
    let reach = Reach::new(nowhere, Capabilities::default());
    Arc::new(Activation::new(id.into(), "plugin".into(), instance.into(), backend, reach))
}

fn table(count: u32) -> Table {
    let mut endpoints = Endpoints::default();
    let spec = |id: u32| EndpointSpec { id, url: id.to_string(), ..EndpointSpec::default() };
    endpoints.add((1..=count).map(spec).collect()).unwrap();
    endpoints.table()
}

fn is_ready(future: impl Future) -> bool {
    matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}

#[tokio::test]
async fn one_activation_at_a_time_serves_an_instance() {
    let routes = Routes::default();
    let (old, new) = (activation("1", "mail"), activation("2", "mail"));
    assert!(matches!(routes.enter("mail"), Err(Absent::Unknown)));
    assert!(routes.publish(old.clone(), table(1)).is_none());
    assert_eq!(routes.enter("mail").unwrap().activation().id(), "1");
    assert_eq!(routes.publish(new.clone(), table(2)).unwrap().id(), "1");
    assert_eq!(routes.enter("mail").unwrap().table().len(), 2);
}

#[tokio::test]
async fn what_was_replaced_can_change_nothing() {
    let routes = Routes::default();
    let (old, new) = (activation("1", "mail"), activation("2", "mail"));
    routes.publish(old.clone(), table(1));
    routes.publish(new.clone(), table(1));
    assert!(!routes.update(&old, table(7)));
    assert!(routes.withdraw(old.id()).is_none());
    assert_eq!(routes.enter("mail").unwrap().table().len(), 1);
    assert!(routes.update(&new, table(3)));
    assert_eq!(routes.enter("mail").unwrap().table().len(), 3);
    assert!(routes.withdraw(new.id()).is_some());
    assert!(matches!(routes.enter("mail"), Err(Absent::Unknown)));
}

#[tokio::test]
async fn what_is_away_is_known_until_it_is_back_or_withdrawn() {
    let routes = Routes::default();
    let (old, new) = (activation("1", "mail"), activation("2", "mail"));
    routes.publish(old.clone(), table(1));
    assert_eq!(routes.suspend("1").unwrap().id(), "1");
    assert!(matches!(routes.enter("mail"), Err(Absent::Away(_))));
    assert!(!routes.update(&old, table(2)) && routes.snapshot().get("mail").is_none());
    routes.publish(new.clone(), table(1));
    assert_eq!(routes.enter("mail").unwrap().activation().id(), "2");
    assert!(routes.suspend("1").is_none() && routes.withdraw("1").is_none());
    routes.suspend("2");
    routes.withdraw("2").unwrap();
    assert!(matches!(routes.enter("mail"), Err(Absent::Unknown)));
}

#[tokio::test]
async fn a_plugin_that_fails_all_the_time_is_complained_about_now_and_then() {
    let activation = activation("1", "mail");
    assert_eq!(activation.may_complain(), Some(0));
    assert_eq!(activation.may_complain(), None);
    assert_eq!(activation.may_complain(), None);
    activation.complaints.lock().unwrap().last = None;
    assert_eq!(activation.may_complain(), Some(2));
}

#[tokio::test]
async fn a_change_leaves_the_tables_of_other_instances_where_they_are() {
    let routes = Routes::default();
    let (mail, slack) = (activation("1", "mail"), activation("2", "slack"));
    routes.publish(mail.clone(), table(1));
    routes.publish(slack, table(1));
    let before = routes.snapshot();
    routes.update(&mail, table(2));
    let after = routes.snapshot();
    assert!(Arc::ptr_eq(before.get("slack").unwrap().1, after.get("slack").unwrap().1));
    assert!(!Arc::ptr_eq(before.get("mail").unwrap().1, after.get("mail").unwrap().1));
}

#[tokio::test]
async fn an_activation_is_drained_when_its_last_request_has_left() {
    let routes = Routes::default();
    let activation = activation("1", "mail");
    routes.publish(activation.clone(), table(1));
    let (first, second) = (routes.enter("mail").unwrap(), routes.enter("mail").unwrap());
    routes.withdraw("1");
    let mut drained = pin!(activation.drained());
    assert!(!is_ready(drained.as_mut()));
    drop(first);
    assert!(!is_ready(drained.as_mut()));
    drop(second);
    assert!(is_ready(drained.as_mut()));
    assert_eq!(activation.in_flight(), 0);
}

#[test]
fn no_request_slips_in_after_the_drain() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let routes = Arc::new(Routes::default());
    runtime.block_on(async {
        let mut current = activation("0", "mail");
        routes.publish(current.clone(), table(1));
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let routes = routes.clone();
                tokio::spawn(async move {
                    for _ in 0..20_000 {
                        let entered = routes.enter("mail").unwrap();
                        assert!(entered.activation().in_flight() > 0);
                    }
                })
            })
            .collect();
        for id in 1..500 {
            let next = activation(&id.to_string(), "mail");
            let replaced = routes.publish(next.clone(), table(1)).unwrap();
            replaced.drained().await;
            assert!(!replaced.enter(), "a request was taken in after the drain");
            current = next;
        }
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(current.in_flight(), 0);
    });
}

#[tokio::test]
async fn whoever_waits_for_a_change_is_told_of_each() {
    let routes = Routes::default();
    let mut changes = routes.changes();
    assert!(!changes.has_changed().unwrap());
    routes.publish(activation("1", "mail"), table(1));
    changes.changed().await.unwrap();
    routes.suspend("1").unwrap();
    changes.changed().await.unwrap();
    routes.withdraw("1").unwrap();
    changes.changed().await.unwrap();
    assert!(!changes.has_changed().unwrap());
}
