//! stdout, stderr, and what is mirrored.

use std::time::{Duration, Instant};

use outboard_host::{Exit, Level};

use crate::plugin::serve::pattern;
use crate::stage::{Stage, command};

crate::tests![
    s01_mirrored_output_arrives_byte_for_byte,
    s01_mirrored_output_of_a_lazy_plugin_arrives_too,
    s04_output_right_before_a_stop_is_delivered,
    s04_the_last_words_on_stderr_are_delivered_before_a_kill_returns,
    s11_a_line_of_200_kb_arrives_in_pieces_and_nothing_stalls,
    s13_a_flood_on_stderr_does_not_stop_calls,
];

const GRACE: Duration = Duration::from_secs(5);

/// Chunks of 1024 bytes alternate between the two streams.
async fn mirrors(stage: Stage, flags: &str) {
    let process = stage.start(&[flags]).await;
    command(&process, "mirror:5000").await.expect("printed");
    let length = |record: &crate::stage::Record| {
        record.stdout.lock().expect("lock").len() + record.stderr.lock().expect("lock").len()
    };
    stage.record.until(|record| length(record) == 5000).await;
    let stdout = stage.record.stdout.lock().expect("lock").clone();
    let stderr = stage.record.stderr.lock().expect("lock").clone();
    let chunks: Vec<Vec<u8>> = pattern(5000).chunks(1024).map(<[u8]>::to_vec).collect();
    assert_eq!(stdout, [&chunks[0][..], &chunks[2], &chunks[4]].concat());
    assert_eq!(stderr, [&chunks[1][..], &chunks[3]].concat());
}

async fn s01_mirrored_output_arrives_byte_for_byte(stage: Stage) {
    mirrors(stage, "serve").await;
}

async fn s01_mirrored_output_of_a_lazy_plugin_arrives_too(stage: Stage) {
    mirrors(stage, "serve:lazy").await;
}

async fn s04_output_right_before_a_stop_is_delivered(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    command(&process, "mirror:1000").await.expect("printed");
    command(&process, "stdout:1000").await.expect("printed");
    command(&process, "stderr:1000").await.expect("printed");
    assert_eq!(process.stop(GRACE).await, Exit::Code(0));
    assert_eq!(stage.record.stdout.lock().expect("lock").len(), 2000);
    assert!(stage.record.has_line(&"e".repeat(1000)));
}

async fn s04_the_last_words_on_stderr_are_delivered_before_a_kill_returns(stage: Stage) {
    let process = stage.start(&["err:[ERROR] before\n", "serve"]).await;
    command(&process, "stderr:4").await.expect("printed");
    process.kill().await;
    let lines = stage.record.lines.lock().expect("lock");
    let lines: Vec<_> = lines.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines, [(Level::Error, "[ERROR] before"), (Level::Debug, "eeee")]);
    assert_eq!(process.last_words(), ["[ERROR] before", "eeee"]);
}

async fn s11_a_line_of_200_kb_arrives_in_pieces_and_nothing_stalls(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    command(&process, "stderr:200000").await.expect("printed");
    stage.record.until(|record| *record.raw.lock().expect("lock") == 200_001).await;
    process.kill().await;
    let lines = stage.record.lines.lock().expect("lock");
    assert_eq!(lines.iter().map(|line| line.message.len()).sum::<usize>(), 200_000);
    assert!(lines.iter().all(|line| line.level == Level::Debug));
}

async fn s13_a_flood_on_stderr_does_not_stop_calls(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    command(&process, "flood").await.expect("begun");
    stage.record.until(|record| *record.dropped.lock().expect("lock") > 0).await;
    for _ in 0..20 {
        let began = Instant::now();
        process.check_health().await.expect("healthy");
        assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
    }
    assert_eq!(process.stop(GRACE).await, Exit::Code(0));
}
