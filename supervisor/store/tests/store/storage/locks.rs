//! Locks.

use super::*;
use crate::harness::{Database, on_both_databases};

on_both_databases! {
    async fn a_lock_is_held_by_whoever_has_the_token(database: Database) {
        let (one, two) = (database.open().await, database.open().await);
        let token = one.locks().acquire("otp", "l", LONG).await.unwrap().unwrap();
        assert_eq!(one.locks().acquire("otp", "l", LONG).await.unwrap(), None);
        assert_eq!(two.locks().acquire("otp", "l", LONG).await.unwrap(), None);
        assert!(two.locks().acquire("otp", "m", LONG).await.unwrap().is_some());
        assert!(two.locks().acquire("mail", "l", LONG).await.unwrap().is_some());
        for wrong in [token + 1000, 0, u64::MAX] {
            assert!(!two.locks().renew("otp", "l", wrong, LONG).await.unwrap());
            assert!(!two.locks().release("otp", "l", wrong).await.unwrap());
        }
        assert!(two.locks().renew("otp", "l", token, LONG).await.unwrap());
        assert!(two.locks().release("otp", "l", token).await.unwrap());
        assert!(!one.locks().release("otp", "l", token).await.unwrap());
        assert!(!one.locks().renew("otp", "l", token, LONG).await.unwrap());
        let next = one.locks().acquire("otp", "l", LONG).await.unwrap().unwrap();
        assert!(next > token);
    }

    async fn one_whose_time_is_over_is_anybodys_and_the_next_token_is_greater(database: Database) {
        let store = database.open().await;
        let first = store.locks().acquire("otp", "l", Duration::ZERO).await.unwrap().unwrap();
        assert!(!store.locks().renew("otp", "l", first, LONG).await.unwrap());
        while store.storage().purge().await.unwrap() {}
        let second = store.locks().acquire("otp", "l", LONG).await.unwrap().unwrap();
        assert!(second > first, "{second} {first}");
        assert!(!store.locks().release("otp", "l", first).await.unwrap());
        assert_eq!(store.locks().acquire("otp", "l", LONG).await.unwrap(), None);
    }

    async fn of_many_one_gets_it(database: Database) {
        let (one, two) = (database.open().await, database.open().await);
        let takers: Vec<_> = (0..30)
            .map(|n| {
                let store = if n % 2 == 0 { one.clone() } else { two.clone() };
                tokio::spawn(async move { store.locks().acquire("otp", "l", Duration::MAX).await.unwrap() })
            })
            .collect();
        let mut tokens = Vec::new();
        for taker in takers {
            tokens.extend(taker.await.unwrap());
        }
        assert_eq!(tokens.len(), 1);
    }
}
