//! A scheme that hangs, fails, crashes and lies costs its own users only, and lets nobody in.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::metrics::Metrics;
use e2e::supervisor::stage::Stage;
use e2e::wait::until;
use serde_json::json;

use super::{User, expect, people};

/// The mock as a scheme of that name, and as one called `calm`, in a process of its own.
fn prepare(stage: &Stage, parameters: &str) -> Result<()> {
    stage.install("mock")?;
    stage.configure(&format!(
        "[login]\nscheme_timeout = \"1s\"\n\
         [[instance]]\nplugin = \"mock\"\nname = \"mock\"\nkind = \"scheme\"\n\
         [instance.parameters]\n{parameters}\n\
         [[instance]]\nplugin = \"mock\"\nname = \"calm\"\nkind = \"scheme\"\n"
    ))
}

on_both_databases! {
    fn one_that_hangs_or_fails_lets_nobody_in_and_is_given_up_soon(stage) {
        let trouble = "[instance.parameters.scheme]\nregister_all = true\n\
                       trouble = { calls = [\"validate\", \"trigger\", \"register\"], about = [\"ann\"], hang = true }";
        prepare(&stage, trouble)?;
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann", "bob"])?;
        let mut ann = User::new(&supervisor, "ann", "mock")?;
        let begun = Instant::now();
        let replies = [
            ann.prove(&json!({ "code": "42" }))?,
            ann.trigger()?,
            ann.register(&json!({ "register": true }))?,
        ];
        ensure!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        for reply in replies {
            ensure!(reply.status >= 500, "{reply:?}");
        }
        ensure!(!ann.state()?.1, "nobody is let in by silence");
        expect(User::stranger(&supervisor, "bob", "mock").prove(&json!({ "code": "42" })), 200)?;
        Ok(())
    }

    fn one_that_hangs_is_left_alone_for_a_while_and_then_asked_again(mut stage) {
        let trouble = "[instance.parameters.scheme]\nregister_all = true\n\
                       trouble = { calls = [\"validate\"], about = [\"ann\"], hang = true }";
        prepare(&stage, trouble)?;
        stage.set("OUTBOARD_METRICS_LISTEN", "127.0.0.1:0");
        stage.set("OUTBOARD_LOGIN_ATTEMPTS", "1000");
        stage.set("OUTBOARD_LOGIN_ATTEMPTS_ADDRESS", "1000");
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann", "bob"])?;
        let page = Metrics::of(&supervisor)?;
        let held_back = || page.sum("outboard_scheme_held_back");
        // A wrong code is an answer.
        for _ in 0..5 {
            expect(User::stranger(&supervisor, "bob", "mock").prove(&json!({ "code": "0" })), 401)?;
        }
        ensure!(held_back()? < 0.5);
        let began = Instant::now();
        let mut ann = User::stranger(&supervisor, "ann", "mock");
        while held_back()? < 0.5 {
            ensure!(began.elapsed() < Duration::from_mins(1), "it is asked on and on");
            ensure!(ann.prove(&json!({ "code": "42" }))?.status >= 500);
        }
        // Each try that hangs makes it longer, so that a slow machine sees it as well.
        let mut bob = User::stranger(&supervisor, "bob", "mock");
        while bob.prove(&json!({ "code": "42" }))?.status != 503 {
            ensure!(began.elapsed() < Duration::from_mins(1), "it is asked all the same");
            for _ in 0..5 {
                ann.prove(&json!({ "code": "42" }))?;
            }
        }
        supervisor.log.wait(0, "Validate of a scheme has failed too often")?;
        until(|| Ok(bob.prove(&json!({ "code": "42" }))?.status), |status| *status == 200)?;
        supervisor.log.wait(0, "Validate of a scheme answers again")?;
        ensure!(held_back()? < 0.5);
        Ok(())
    }

    fn one_that_can_not_say_who_may_use_it_is_of_no_use(stage) {
        let trouble = "[instance.parameters.scheme]\nregistered = [\"ann\"]\n\
                       trouble = { calls = [\"can_use\"], error = true }";
        prepare(&stage, trouble)?;
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "mock")?;
        let reply = expect(ann.client.get("/api/auth/scheme/?scope=safe"), 200)?.json()?;
        ensure!(reply["safe"]["available"] == false, "{reply}");
        Ok(())
    }

    fn one_that_panics_or_answers_too_much_has_failed(stage) {
        let trouble = "[instance.parameters.scheme]\nregister_all = true\nresponse_bytes = 70000\n\
                       trouble = { calls = [\"validate\"], panic = true }";
        prepare(&stage, trouble)?;
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "mock")?;
        for reply in [ann.trigger()?, ann.prove(&json!({ "code": "42" }))?] {
            ensure!(reply.status >= 500 && reply.body.len() < 1000, "{}", reply.status);
        }
        ensure!(!ann.state()?.1);
        Ok(())
    }

    fn one_that_crashes_comes_back_and_has_let_nobody_in(stage) {
        let trouble = "[instance.parameters.scheme]\nregister_all = true\n\
                       trouble = { calls = [\"validate\"], about = [\"ann\"], crash = true }";
        prepare(&stage, trouble)?;
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann", "bob"])?;
        let mut ann = User::new(&supervisor, "ann", "mock")?;
        let before = supervisor.plugin("mock")?.generation();
        let reply = ann.prove(&json!({ "code": "42" }))?;
        ensure!(reply.status >= 500, "{reply:?}");
        supervisor.serves_after("mock", before)?;
        ensure!(!ann.state()?.1);
        expect(User::new(&supervisor, "bob", "mock")?.prove(&json!({ "code": "42" })), 200)?;
        Ok(())
    }

    fn one_without_a_plugin_behind_it_takes_its_scope_with_it_and_nothing_else(stage) {
        prepare(&stage, "[instance.parameters.misbehave]\nproblems = [\"no\"]")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "mock", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "mock")?;
        let reply = ann.prove(&json!({ "code": "42" }))?;
        ensure!(reply.status >= 400, "{reply:?}");
        expect(ann.client.get("/api/profile"), 200)?;
        Ok(())
    }
}
