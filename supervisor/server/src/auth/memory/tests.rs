use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use super::super::Refusal;
use super::*;

impl Answered for u32 {
    fn weight(&self) -> usize {
        4
    }
}

const ROOM: Room = Room { ttl: Duration::from_mins(1), entries: 10, bytes: 1 << 20 };

fn memory(room: Room) -> (Memory<u32>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    (Memory::new(room, counts.clone()), counts)
}

fn key(text: &str) -> Key {
    Key::of([text])
}

#[tokio::test]
async fn many_who_ask_at_once_ask_once_and_one_who_goes_takes_nothing_away() {
    let (memory, counts) = memory(ROOM);
    let (tell, told) = oneshot::channel::<u32>();
    let first = tokio::spawn({
        let memory = memory.clone();
        async move { memory.ask(key("a"), || async { Ok(told.await.unwrap()) }).await.unwrap() }
    });
    while memory.0.table().flights.is_empty() {
        tokio::task::yield_now().await;
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let others: Vec<_> = (0..10)
        .map(|_| {
            let (memory, asked) = (memory.clone(), asked.clone());
            tokio::spawn(async move {
                let question = || async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    Ok(0)
                };
                memory.ask(key("a"), question).await.unwrap()
            })
        })
        .collect();
    while counts.joined_now() < 10 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    tell.send(7).unwrap();
    for other in others {
        assert_eq!(other.await.unwrap(), 7);
    }
    assert_eq!(memory.ask(key("a"), || async { Ok(0) }).await.unwrap(), 7, "it is remembered");
    assert_eq!((asked.load(Ordering::SeqCst), counts.cache_hits_now()), (0, 1));
}

#[tokio::test]
async fn what_could_not_be_answered_is_asked_again_and_a_refusal_is_not() {
    let (memory, _) = memory(ROOM);
    let down = || async { Err(Failure::unavailable("down", TOO_MANY_RETRY)) };
    assert!(matches!(memory.ask(key("a"), down).await, Err(Failure::Unavailable(_))));
    let no = || async { Err(Failure::Refused(Refusal::Token)) };
    assert!(matches!(memory.ask(key("a"), no).await, Err(Failure::Refused(_))));
    let late = memory.ask(key("a"), || async { Ok(1) }).await;
    assert!(matches!(late, Err(Failure::Refused(Refusal::Token))));
    assert_eq!(memory.ask(key("b"), || async { Ok(2) }).await.unwrap(), 2);
}

#[tokio::test]
async fn without_a_lifetime_nothing_is_remembered() {
    let (memory, _) = memory(Room { ttl: Duration::ZERO, ..ROOM });
    for number in 0..3 {
        let answer = memory.ask(key("a"), || async move { Ok(number) }).await;
        assert_eq!(answer.unwrap(), number);
    }
}

#[tokio::test]
async fn a_question_that_panics_is_unanswered_and_can_be_asked_again() {
    let (memory, _) = memory(ROOM);
    let broken = memory.ask(key("a"), || async { panic!("as a bug would") }).await;
    assert!(matches!(broken, Err(Failure::Unavailable(_))));
    assert_eq!(memory.ask(key("a"), || async { Ok(1) }).await.unwrap(), 1);
}

#[tokio::test]
async fn there_is_an_end_to_the_questions_under_way() {
    let (memory, _) = memory(ROOM);
    let (hold, held) = watch::channel(());
    let waiting: Vec<_> = (0..MOST_FLIGHTS)
        .map(|number| {
            let (memory, mut held) = (memory.clone(), held.clone());
            tokio::spawn(async move {
                let question = || async move {
                    // Until nobody holds it any more.
                    let _ = held.changed().await;
                    Ok(1)
                };
                memory.ask(key(&number.to_string()), question).await
            })
        })
        .collect();
    while memory.0.table().flights.len() < MOST_FLIGHTS {
        tokio::task::yield_now().await;
    }
    let over = memory.ask(key("over"), || async { Ok(1) }).await;
    assert!(matches!(over, Err(Failure::Unavailable(_))));
    drop(hold);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), 1);
    }
}
