//! A plugin that writes its own frames and gets them wrong: its requests get the right answer or are cut off, it is
//! not lost for that, and nobody beside it notices.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    h1::Connection,
    supervisor::{Supervisor, stage::Stage, usage::Before},
};

const MIB: u64 = 1024 * 1024;
const PROGRAM: &str = env!("CARGO_BIN_EXE_e2e-frames-plugin");

/// Short, because most of it is waited for.
const CONFIGURATION: &str = "
drain_timeout = \"1h\"
[gateway]
first_byte_timeout = \"2s\"
idle_timeout = \"700ms\"
request_timeout = \"4s\"
";

/// What a client gets.
#[derive(Clone, Copy)]
enum Gets {
    /// That status, and the body `good` with 200.
    Status(u16),
    /// The head of a good answer, and then too little, so that it is seen to be too little.
    CutOff,
    /// Either: what is wrong may be seen before the head has gone, or too late for another answer.
    EitherWay,
}
use Gets::{CutOff, EitherWay, Status};

const MISDEEDS: &[(&str, Gets)] = &[
    ("good", Status(200)),
    ("twice", Status(200)),
    ("twice-begun", EitherWay),
    ("after-the-end", Status(200)),
    ("data-first", Status(502)),
    ("trailers-first", Status(502)),
    ("informational-after", EitherWay),
    ("request", Status(502)),
    ("never", Status(504)),
    ("never-ends", CutOff),
    ("too-much-credit", Status(502)),
    ("beyond-credit", CutOff),
    ("early-end", CutOff),
    ("late-end", CutOff),
    ("wrong-length", Status(502)),
    ("no-length", Status(502)),
    ("two-lengths", Status(502)),
    ("status-99", Status(502)),
    ("status-100", Status(502)),
    ("status-101", Status(502)),
    ("status-600", Status(502)),
    ("status-max", Status(502)),
    ("status-0", Status(200)),
    ("no-head", Status(200)),
    ("outcome", Status(502)),
    ("connection", Status(502)),
    ("transfer-encoding", Status(502)),
    ("line-feed", Status(502)),
    ("carriage-return", Status(502)),
    ("zero", Status(502)),
    ("no-token", Status(502)),
    ("no-name", Status(502)),
    ("pseudo", Status(502)),
    ("many", Status(502)),
    ("informational-flood", Status(502)),
    ("informational-101", Status(502)),
    ("informational-200", Status(502)),
    ("reset", Status(502)),
    ("reset-cancelled", Status(502)),
    ("reset-refused", Status(503)),
    ("reset-begun", CutOff),
    ("refused-begun", CutOff),
    ("reset-after", Status(200)),
    ("of-another", Status(502)),
    ("of-an-earlier", Status(200)),
    ("of-the-stream", Status(502)),
    ("hello", Status(502)),
    ("hello-of-a-request", Status(502)),
    ("unknown", Status(200)),
    ("large-data", CutOff),
    ("large-message", Status(502)),
    ("many-frames", Status(200)),
    ("credit-flood", Status(200)),
    ("garbage", Status(502)),
    ("half-a-message", Status(502)),
    ("empty-messages", Status(200)),
    ("leave", Status(200)),
    ("leave-behind", Status(503)),
    ("fail", Status(502)),
    ("end", Status(502)),
    // Last: it goes on for a while after its request is over, and whatever shares its stream comes behind it.
    ("flood", CutOff),
];

/// How streams begin, and what requests then get.
const BEGINNINGS: &[(&str, &[u16])] = &[
    ("deaf", &[502, 503, 504]),
    ("rude", &[502, 503]),
    ("mute", &[504]),
    ("twice", &[502, 503]),
    ("mean", &[502, 503]),
    ("leaving", &[502, 503]),
    ("failed", &[502, 503]),
    ("ended", &[502, 503]),
    ("garbage", &[502, 503]),
];

/// Puts the program into the plugins directory under a name, with a way to begin its streams.
fn install(stage: &mut Stage, name: &str, beginning: &str) -> Result<()> {
    let program = Path::new(PROGRAM);
    let directory = program.parent().context("no directory")?;
    stage.set("PATH", &format!("{}:{}", directory.display(), std::env::var("PATH")?));
    let text = format!(
        "name = \"{name}\"\ncommand = [\"e2e-frames-plugin\", \"{name}\", \"{beginning}\"]\n"
    );
    stage.write(&format!("plugins/{name}/plugin.toml"), text, 0o644).map(drop)
}

/// A GET, and whether what came for it is as expected.
fn check(supervisor: &Supervisor<'_>, path: &str, gets: Gets) -> Result<()> {
    let mut connection = Connection::open(supervisor.address)?;
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"))?;
    match (connection.response(), gets) {
        (Ok(response), Status(expected)) => {
            ensure!(response.head.status == expected, "{response:?} instead of {expected}");
            ensure!(expected != 200 || response.text() == "good\n", "{response:?}");
        }
        (Ok(response), EitherWay) => ensure!(response.head.status == 502, "{response:?}"),
        (Ok(response), CutOff) => anyhow::bail!("it looks whole: {:?}", response.head),
        (Err(_), CutOff | EitherWay) => {}
        (Err(error), Status(expected)) => {
            return Err(error.context(format!("instead of {expected}")));
        }
    }
    Ok(())
}

/// So often that each of the gateway's threads, which the kernel chooses among, has most likely had some.
fn warm_up(supervisor: &Supervisor<'_>) -> Result<()> {
    for _ in 0..30 {
        check(supervisor, "/api/frames/good", Status(200))?;
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    }
    Ok(())
}

#[test]
fn each_misdeed_costs_its_own_request_and_the_others_are_served() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    install(&mut stage, "frames", "well")?;
    stage.configure(CONFIGURATION)?;
    let mut supervisor = stage.serve()?;
    warm_up(&supervisor)?;
    let before = Before::of(&supervisor, "frames")?;
    let steady = supervisor.steady("/api/mock/hello/you");

    let mut wrong = Vec::new();
    for (what, gets) in MISDEEDS {
        if let Err(error) = check(&supervisor, &format!("/api/frames/{what}"), *gets) {
            wrong.push(format!("{what}: {error:#}"));
        }
        // Whatever became of the stream, the next request finds one.
        if let Err(error) = check(&supervisor, "/api/frames/good", Status(200)) {
            wrong.push(format!("after {what}: {error:#}"));
        }
    }

    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("others waited for {:?} at the most; {:?}", steady.finish()?, before.peak_growth()?);
    for name in ["frames", "mock"] {
        let plugin = supervisor.plugin(name)?;
        ensure!((plugin.state(), plugin.generation()) == ("serving", 1), "{plugin:?}");
    }
    let (name, grown) = before.peak_growth()?[0];
    ensure!(grown < 64 * MIB, "the {name} held {grown} bytes more");
    before.returns(32 * MIB)?;
    ensure!(supervisor.stop()? == 0);
    Ok(())
}

/// What a client gets besides its answer: interim responses that would be answers, trailers that would be fields.
#[test]
fn what_is_smuggled_around_an_answer_is_dropped() -> Result<()> {
    let mut stage = Stage::new()?;
    install(&mut stage, "frames", "well")?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;

    let mut connection = Connection::open(supervisor.address)?;
    connection.send("GET /api/frames/informational-line-feed HTTP/1.1\r\nhost: test\r\n\r\n")?;
    let response = connection.response()?;
    ensure!(matches!(response.head.status, 200 | 502), "{response:?}");
    ensure!(
        response.interim.iter().all(|interim| interim.header("link").is_none()),
        "{response:?}"
    );

    let mut connection = Connection::open(supervisor.address)?;
    connection.send("GET /api/frames/trailers HTTP/1.1\r\nhost: test\r\nte: trailers\r\n\r\n")?;
    // Good fields would pass, these do not, and may cost the end of the body.
    if let Ok(response) = connection.response() {
        ensure!(response.trailers.is_empty() && response.body.len() == 100, "{response:?}");
    }
    Ok(())
}

/// Requests on the same stream as one that breaks it are lost, but not those on the streams of others, and what may
/// be repeated might be.
#[test]
fn a_broken_stream_fails_its_requests_at_once_and_is_replaced() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    install(&mut stage, "frames", "well")?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;

    for misdeed in ["garbage", "of-another", "hello", "fail", "end", "leave-behind", "leave"] {
        let mut bystanders = Vec::new();
        for _ in 0..20 {
            let mut connection = Connection::open(supervisor.address)?;
            connection.send("GET /api/frames/slow HTTP/1.1\r\nhost: test\r\n\r\n")?;
            bystanders.push(connection);
        }
        let mut culprit = Connection::open(supervisor.address)?;
        culprit.send(format!("GET /api/frames/{misdeed} HTTP/1.1\r\nhost: test\r\n\r\n"))?;

        for connection in &mut bystanders {
            let status = connection.response().with_context(|| misdeed.to_owned())?.head.status;
            ensure!(matches!(status, 200 | 502 | 503), "{misdeed}: {status}");
        }
        culprit.response().with_context(|| misdeed.to_owned())?;
        check(&supervisor, "/api/frames/good", Status(200)).with_context(|| misdeed.to_owned())?;
    }
    Ok(())
}

#[test]
fn streams_that_begin_badly_are_given_up_and_not_asked_for_without_end() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    for (name, _) in BEGINNINGS {
        install(&mut stage, name, name)?;
    }
    stage.configure(CONFIGURATION)?;
    let mut supervisor = stage.serve()?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    let before = Before::of(&supervisor, "mock")?;
    let steady = supervisor.steady("/api/mock/hello/you");

    let mut wrong = Vec::new();
    for (name, statuses) in BEGINNINGS {
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            let reply = supervisor.get(&format!("/api/{name}/good"))?;
            if !statuses.contains(&reply.status) || begun.elapsed() > Duration::from_secs(6) {
                wrong.push(format!("{name}: {} after {:?}", reply.status, begun.elapsed()));
            }
        }
        let plugin = supervisor.plugin(name)?;
        if (plugin.state(), plugin.generation()) != ("serving", 1) {
            wrong.push(format!("{name}: {plugin:?}"));
        }
    }

    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("others waited for {:?} at the most; {:?}", steady.finish()?, before.peak_growth()?);
    before.never_grew_by(64 * MIB)?;
    ensure!(supervisor.stop()? == 0);
    Ok(())
}

/// More requests than a stream has room for wait, or go to another, and none is lost.
#[test]
fn a_stream_with_room_for_one_serves_many_one_after_the_other() -> Result<()> {
    let mut stage = Stage::new()?;
    install(&mut stage, "narrow", "narrow")?;
    stage.configure("[gateway]\nqueue_timeout = \"20s\"\n")?;
    let supervisor = stage.serve()?;

    let mut connections = Vec::new();
    for _ in 0..10 {
        let mut connection = Connection::open(supervisor.address)?;
        connection.send("GET /api/narrow/slow HTTP/1.1\r\nhost: test\r\n\r\n")?;
        connections.push(connection);
    }

    for connection in &mut connections {
        let response = connection.response()?;
        ensure!(response.text() == "good\n", "{response:?}");
    }
    Ok(())
}

/// Each process of the plugin is one that dies, so this must not be its end.
#[test]
fn a_plugin_that_crashes_in_the_middle_of_its_frames_is_started_again() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    install(&mut stage, "frames", "well")?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    for generation in 1..4 {
        check(&supervisor, "/api/frames/crash", Status(502))?;
        supervisor.serves_after("frames", generation)?;
        check(&supervisor, "/api/frames/good", Status(200))?;
    }
    traffic.more(5)?;
    traffic.finish()
}
