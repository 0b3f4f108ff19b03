//! Of several supervisors, one tells a notifier.

use std::time::Duration;

use crate::harness::{Database, on_both_databases};

const LONG: Duration = Duration::from_hours(1);

on_both_databases! {
    async fn one_of_two_gets_it_and_may_renew_it(database: Database) {
        let (one, two) = (database.open().await, database.open().await);
        assert!(one.outbox().take_lease("slack", "one", LONG).await.unwrap());
        assert!(!two.outbox().take_lease("slack", "two", LONG).await.unwrap());
        assert!(one.outbox().take_lease("slack", "one", LONG).await.unwrap());
        assert!(two.outbox().take_lease("mail", "two", LONG).await.unwrap());
        assert!(!two.outbox().take_lease("slack", "two", LONG).await.unwrap());
    }

    async fn of_many_one_gets_it(database: Database) {
        let store = database.open().await;
        let takers: Vec<_> = (0..10)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.outbox().take_lease("slack", &n.to_string(), LONG).await.unwrap()
                })
            })
            .collect();
        let mut taken = 0;
        for taker in takers {
            taken += usize::from(taker.await.unwrap());
        }
        assert_eq!(taken, 1);
    }

    async fn one_that_has_run_out_is_anybodys(database: Database) {
        let store = database.open().await;
        assert!(store.outbox().take_lease("slack", "one", Duration::ZERO).await.unwrap());
        assert!(store.outbox().take_lease("slack", "two", LONG).await.unwrap());
        assert!(!store.outbox().take_lease("slack", "one", LONG).await.unwrap());
    }

    async fn only_its_holder_can_release_it(database: Database) {
        let store = database.open().await;
        let forever = Duration::MAX;
        assert!(store.outbox().take_lease("slack", "one", forever).await.unwrap());
        store.outbox().release_lease("slack", "two").await.unwrap();
        assert!(!store.outbox().take_lease("slack", "two", LONG).await.unwrap());
        store.outbox().release_lease("slack", "one").await.unwrap();
        assert!(store.outbox().take_lease("slack", "two", LONG).await.unwrap());
    }
}
