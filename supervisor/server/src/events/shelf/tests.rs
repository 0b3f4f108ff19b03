use super::*;

/// What waits, as the store would have it.
#[derive(Default)]
struct Waits(Vec<Pending>);

impl Waits {
    fn add(&mut self, key: Option<&str>) {
        let seq = i64::try_from(self.0.len()).unwrap() + 1;
        self.0.push(Pending {
            seq,
            delivery_id: seq.to_string(),
            key: key.map(str::to_owned),
            attempts: 0,
            not_before_ms: 0,
            accepted_ms: 0,
            replayed: false,
            body: "{}".to_owned(),
        });
    }

    fn is_meant(letter: &Pending, line: Line<'_>) -> bool {
        let key = letter.key.as_deref();
        match line {
            Line::Order => !letter.replayed,
            Line::Except(keys) => !letter.replayed && !keys.iter().any(|it| Some(&**it) == key),
            Line::Key(one) => !letter.replayed && key == Some(one),
            Line::Replayed => letter.replayed,
        }
    }

    /// Fills the shelf, and gives how much was read.
    fn fill(&self, shelf: &mut Shelf) -> usize {
        let mut count = 0;
        while let Some(want) = shelf.wants() {
            let rows = usize::try_from(want.window.rows).unwrap();
            let meant = |it: &&Pending| it.seq > want.after && Self::is_meant(it, want.line());
            let read: Vec<_> = self.0.iter().filter(meant).take(rows).cloned().collect();
            count += read.len();
            shelf.put(&want, read);
        }
        count
    }

    fn done(&mut self, shelf: &mut Shelf, seq: i64) {
        self.0.retain(|letter| letter.seq != seq);
        shelf.done(seq);
    }
}

#[test]
fn a_key_that_is_stuck_leaves_room_for_all_others() {
    let mut waits = Waits::default();
    for _ in 0..10_000 {
        waits.add(Some("stuck"));
    }
    waits.add(Some("other"));
    waits.add(None);
    let mut shelf = Shelf::new(8);
    waits.fill(&mut shelf);
    let now: Vec<i64> =
        std::iter::from_fn(|| shelf.next(0)).map(|(letter, _)| letter.seq).collect();
    assert_eq!(now, [1, 10_001, 10_002]);
    assert!(shelf.held.len() < 100, "{}", shelf.held.len());
}

#[test]
fn a_long_key_goes_on_in_order_to_its_end_and_reads_little_twice() {
    let mut waits = Waits::default();
    for number in 0..3000 {
        waits.add((number % 3 > 0).then_some("long"));
    }
    let mut shelf = Shelf::new(1);
    let (mut read, mut order, mut others) = (0, Vec::new(), 0);
    loop {
        read += waits.fill(&mut shelf);
        let Some((letter, _)) = shelf.next(0) else { break };
        if letter.key.is_some() {
            order.push(letter.seq);
        } else {
            others += 1;
        }
        waits.done(&mut shelf, letter.seq);
        // More of it comes while it is long.
        if order.len() == 500 && waits.0.len() < 3000 {
            (0..10).for_each(|_| waits.add(Some("long")));
            shelf.look_on();
        }
        assert!(shelf.held.len() <= MOST_HELD);
    }
    assert!(order.is_sorted() && waits.0.is_empty());
    assert!(order.len() >= 2000 && others == 1000, "{} {others}", order.len());
    assert!(read < 2 * 3000, "{read}");
}

#[test]
fn large_events_of_one_key_do_not_fill_the_shelf() {
    let mut waits = Waits::default();
    for _ in 0..40 {
        waits.add(Some("large"));
    }
    for letter in &mut waits.0 {
        letter.body = "x".repeat(1 << 20);
    }
    waits.add(Some("other"));
    let mut shelf = Shelf::new(8);
    waits.fill(&mut shelf);
    let now: Vec<i64> =
        std::iter::from_fn(|| shelf.next(0)).map(|(letter, _)| letter.seq).collect();
    assert_eq!(now, [1, 41]);
    assert!(shelf.bytes < MOST_BYTES);
}

#[test]
fn what_is_read_twice_is_held_once_and_what_is_gone_takes_no_room() {
    let mut waits = Waits::default();
    waits.add(Some("k"));
    waits.add(Some("k"));
    let mut shelf = Shelf::new(8);
    waits.fill(&mut shelf);
    shelf.order = Mark::START;
    waits.fill(&mut shelf);
    assert_eq!((shelf.held.len(), shelf.bytes), (2, 4));
    let (first, attempts) = shelf.next(0).unwrap();
    assert_eq!((first.seq, attempts), (1, 0));
    shelf.again(1, 500, true);
    assert_eq!(shelf.wake_at(), Some(500));
    assert!(shelf.next(499).is_none());
    assert_eq!(shelf.next(500).unwrap().1, 1);
    shelf.forget(1);
    // It is still under way.
    assert!(shelf.next(500).is_none());
    shelf.done(1);
    assert_eq!(shelf.next(500).unwrap().0.seq, 2);
    shelf.done(2);
    assert_eq!((shelf.held.len(), shelf.bytes), (0, 0));
}
