//! `outboard.host.v1.Sessions`.

use anyhow::ensure;
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{call, good, people, prepare, prove, refused, signed_in};

fn scopes(names: &[&str]) -> Value {
    json!({ "scopes": names })
}

on_both_databases! {
    fn a_plugin_learns_who_is_signed_in_and_what_is_missing(stage) {
        prepare(&stage, &["sessions", "schemes"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut nobody = supervisor.client();
        ensure!(good(&mut nobody, "sessions.check", scopes(&[]))? == "nobody");
        ensure!(good(&mut nobody, "sessions.is_satisfied", scopes(&["plain"]))? == false);
        ensure!(good(&mut nobody, "sessions.last_login", scopes(&["plain"]))?.is_null());
        nobody.cookie = Some("x".repeat(128));
        ensure!(good(&mut nobody, "sessions.check", scopes(&[]))? == "ended");

        let mut ann = signed_in(&supervisor, "ann")?;
        let told = good(&mut ann, "sessions.check", scopes(&["twofold", "plain", "foreign", "unknown"]))?;
        ensure!(told["user"]["username"] == "ann", "{told}");
        let names: Vec<_> = told["scopes"].as_array().into_iter().flatten().map(|it| it["name"].clone()).collect();
        ensure!(names == ["twofold", "plain", "foreign"], "{told}");
        let [twofold, plain, foreign] = [0, 1, 2].map(|at| told["scopes"][at].clone());
        ensure!(plain["satisfied"] == true && plain["password_authenticated"] == true, "{plain}");
        ensure!(plain["password_last_login"].is_number(), "{plain}");
        ensure!(foreign["available"] == false && foreign["satisfied"] == false, "{foreign}");
        ensure!(twofold["available"] == true && twofold["satisfied"] == false, "{twofold}");
        let scheme = &twofold["groups"][0]["schemes"][0];
        ensure!(scheme["name"] == "code" && scheme["module"] == "mock", "{scheme}");
        ensure!(scheme["registered"] == false && scheme["authenticated"] == false, "{scheme}");
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["plain"]))? == true);
        for names in [&["plain", "twofold"][..], &["foreign"], &["plain", "unknown"]] {
            ensure!(good(&mut ann, "sessions.is_satisfied", scopes(names))? == false, "{names:?}");
        }
        ensure!(refused(&mut ann, "sessions.is_satisfied", scopes(&[]))? == "Invalid");
        let many: Vec<_> = (0..101).map(|n| n.to_string()).collect();
        ensure!(refused(&mut ann, "sessions.check", json!({ "scopes": many }))? == "Invalid");
        let cookie = ann.cookie.clone().unwrap_or_default();
        ensure!(!told.to_string().contains(&cookie), "the cookie is nobody's business");
        Ok(())
    }

    fn a_scheme_satisfies_until_it_is_used_up(stage) {
        prepare(&stage, &["sessions", "schemes"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let done = supervisor.command(&["scheme", "set", "code", "--max-use", "2"])?;
        ensure!(done.code == 0, "{done:?}");
        let mut ann = signed_in(&supervisor, "ann")?;
        let first = good(&mut ann, "sessions.last_login", scopes(&["twofold"]))?;
        ensure!(first.is_number(), "{first}");
        good(&mut ann, "schemes.register", json!({ "name": "code", "data": { "register": true } }))?;
        ensure!(prove(&mut ann, "ann", "41")? == 401);
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["twofold"]))? == false);
        ensure!(prove(&mut ann, "ann", "42")? == 200);
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["twofold", "plain"]))? == true);
        for left in [true, false] {
            ensure!(good(&mut ann, "sessions.count_use", scopes(&["twofold"]))? == true);
            ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["twofold"]))? == left);
        }
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["plain"]))? == true);
        ensure!(prove(&mut ann, "ann", "42")? == 200);
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["twofold"]))? == true);
        ensure!(good(&mut supervisor.client(), "sessions.count_use", scopes(&["plain"]))? == false);
        Ok(())
    }

    fn log_out_ends_what_a_handle_opens(stage) {
        prepare(&stage, &["sessions"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        let before = ann.clone();
        ensure!(good(&mut ann, "sessions.is_satisfied", scopes(&["plain"]))? == true);
        let mut again = before.clone();
        again.sign_in("bob", crate::PASSWORD)?;
        // The new sign-in has changed the cookie, so that the old one is worth nothing.
        ensure!(good(&mut before.clone(), "sessions.check", scopes(&[]))? == "ended");
        ensure!(good(&mut again, "sessions.check", scopes(&[]))?["user"]["username"] == "bob");
        crate::ok(again.post("/api/auth/", &json!({ "username": "ann" }))?)?;
        ensure!(good(&mut again, "sessions.check", scopes(&[]))?["user"]["username"] == "ann");
        let mut stolen = again.clone();
        crate::ok(again.delete("/api/auth/")?)?;
        ensure!(good(&mut stolen, "sessions.check", scopes(&[]))? == "ended");
        ensure!(good(&mut stolen, "sessions.is_satisfied", scopes(&["plain"]))? == false);
        Ok(())
    }

    fn handles_are_good_for_their_own_request_alone(stage) {
        prepare(&stage, &["sessions"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        let used = ann.get("/api/mock/handle")?.json()?["handle"].as_str().unwrap_or_default().to_owned();
        let other = ann.get("/api/other/handle")?.json()?["handle"].as_str().unwrap_or_default().to_owned();
        ensure!(!used.is_empty() && !other.is_empty() && used != other);
        for handle in [&used, &other, "", "x", &"f".repeat(32), &"a".repeat(10_000)] {
            for name in ["check", "is_satisfied", "count_use", "last_login"] {
                let args = json!({ "handle": handle, "scopes": ["plain"] });
                let kind = refused(&mut ann, &format!("sessions.{name}"), args)?;
                ensure!(kind == "Denied", "{name} with {handle:?}: {kind}");
            }
        }
        Ok(())
    }

    fn without_the_grant_nothing_is_told(stage) {
        prepare(&stage, &["schemes"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        for name in ["check", "is_satisfied", "count_use", "last_login"] {
            let answer = call(&mut ann, &format!("sessions.{name}"), scopes(&["plain"]))?;
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            ensure!(answer["error"]["kind"] == "Denied", "{answer}");
            ensure!(message.contains("outboard plugin grant mock sessions"), "{message}");
        }
        Ok(())
    }
}
