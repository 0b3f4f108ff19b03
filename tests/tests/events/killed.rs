//! The supervisor is killed with events under way.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::processes::kill_9;

use super::{GRANT, delivery, emit, journal, stage};

const KEYS: usize = 4;
const EVENTS: usize = 40;

#[test]
fn nothing_is_lost_the_order_is_kept_and_repeats_carry_the_same_id() -> Result<()> {
    let stage = stage()?;
    let journal_at = stage.root().join("journal");
    let parameters = format!(
        "parameters = {{ notify = {{ journal = {journal_at:?}, behaviour = {{ delay_ms = 3 }} }} }}"
    );
    stage.configure(&format!("{GRANT}\n[[instance]]\nplugin = \"mock\"\n{parameters}\n"))?;
    for round in 0..3 {
        let mut supervisor = stage.serve()?;
        for key in 0..KEYS {
            emit(&supervisor, &format!("id=r{round}k{key}&key={key}&count={EVENTS}"), "")?;
        }
        // In the middle: some have come, and most have not.
        delivery(&supervisor, &format!("r{round}k0-5"), |it| it["state"] == "delivered")?;
        kill_9(supervisor.pid())?;
        supervisor.ended(e2e::supervisor::LIMIT)?;
    }
    let supervisor = stage.serve()?;
    for key in 0..KEYS {
        let last = format!("r2k{key}-{}", EVENTS - 1);
        delivery(&supervisor, &last, |it| it["state"] == "delivered")?;
    }
    check(&journal(&journal_at)?)
}

fn check(lines: &[serde_json::Value]) -> Result<()> {
    let mut names = HashMap::new();
    let mut first: HashMap<String, Vec<String>> = HashMap::new();
    for line in lines.iter().filter(|line| line["at"] == "begin") {
        let text =
            |name: &str| line[name].as_str().map(str::to_owned).context("a field is missing");
        let (id, delivery) = (text("id")?, text("delivery_id")?);
        match names.insert(id.clone(), delivery.clone()) {
            None => first.entry(text("key")?).or_default().push(id),
            Some(before) => ensure!(before == delivery, "{id}: {before} and {delivery}"),
        }
    }
    ensure!(names.len() == 3 * KEYS * EVENTS, "{} came", names.len());
    ensure!(names.values().collect::<BTreeSet<_>>().len() == names.len());
    for (key, ids) in first {
        let rounds = (0..3).flat_map(|round| (0..EVENTS).map(move |number| (round, number)));
        let expected: Vec<_> =
            rounds.map(|(round, number)| format!("r{round}k{key}-{number}")).collect();
        ensure!(ids == expected, "key {key}: {ids:?}");
    }
    Ok(())
}
