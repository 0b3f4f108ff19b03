//! Who may do what: Proctor's cases for its middleware, against the example through nginx.

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{http::Reply, processes};
use serde_json::{Value, json};

use crate::example::{self, ANN, BOB, CARL, Example, ROOT};

fn names(reply: &Reply) -> Result<Vec<String>> {
    ensure!(reply.status == 200, "{reply:?}");
    let jobs = reply.json()?;
    let jobs = jobs.as_array().context("no list")?;
    Ok(jobs.iter().filter_map(|job| job["name"].as_str()).map(str::to_owned).collect())
}

#[test]
fn case_20_to_26_a_job_is_for_those_who_are_in_all_of_its_groups() -> Result<()> {
    let example = Example::start()?;
    let name = json!({ "name": "backup" });

    // 20: what needs nobody.
    let pong = example.ask("GET", "/ping", None, "")?;
    ensure!((pong.status, pong.text().as_str()) == (200, "pong\n"), "{pong:?}");
    // 21, 22: either name of the name.
    for body in [&name, &json!({ "jobName": "backup" })] {
        let reply = example.post("/execution", ANN, body)?;
        ensure!(reply.status == 201, "{body}: {reply:?}");
    }
    // 23: no body, and none of use.
    for body in ["", "{", "[]", "{}", r#"{"name": ""}"#, r#"{"name": 5}"#] {
        let reply = example.ask("POST", "/execution", Some(ANN), body)?;
        ensure!(reply.status == 400, "{body:?}: {reply:?}");
    }
    // 24: the job can't be looked up.
    example.put("broken.json", "{")?;
    let reply = example.post("/execution", ANN, &json!({ "name": "broken" }))?;
    ensure!(reply.status == 500 && reply.text().contains("broken.json"), "{reply:?}");
    // 25: nobody, or not who they say.
    let body = name.to_string();
    for who in [None, Some(ANN.with_token("bob-token")), Some(BOB.with_token(""))] {
        let reply = example.ask("POST", "/execution", who, &body)?;
        ensure!(reply.status == 401, "{who:?}: {reply:?}");
    }
    // 26: one of two groups is not enough.
    for who in [BOB, ROOT] {
        let reply = example.post("/execution", who, &name)?;
        ensure!(reply.status == 403, "{who:?}: {reply:?}");
    }
    let open = example.post("/execution", BOB, &json!({ "name": "hello" }))?;
    ensure!(open.status == 201, "{open:?}");
    Ok(())
}

#[test]
fn case_27_30_32_without_authentication_everybody_may_do_everything() -> Result<()> {
    let example = Example::start_with(&["--no-auth"])?;

    ensure!(example.ask("GET", "/schedule", None, "")?.status == 200);
    let reply = example.ask("POST", "/execution", None, r#"{"name": "backup"}"#)?;
    ensure!(reply.status == 201, "{reply:?}");
    let job = r#"{"name": "new", "command": ["true"], "authorized_groups": ["nobody-has-it"]}"#;
    ensure!(example.ask("POST", "/metadata", None, job)?.status == 201);
    let names = names(&example.ask("GET", "/metadata", None, "")?)?;
    ensure!(names == ["backup", "hello", "new"], "{names:?}");
    Ok(())
}

#[test]
fn case_29_30_what_is_for_admins_is_for_admins_whatever_the_path_looks_like() -> Result<()> {
    let example = Example::start()?;
    let job = json!({ "name": "new", "command": ["true"] }).to_string();
    let secret = r#"{"job_name": "hello", "secrets": {"TOKEN": "x"}}"#;

    for (path, body) in [("/metadata", job.as_str()), ("/secret", secret)] {
        ensure!(example.ask("POST", path, Some(ROOT), body)?.status == 201, "{path}");
        ensure!(example.ask("POST", path, None, body)?.status == 401, "{path}");
        ensure!(example.ask("POST", path, Some(ANN), body)?.status == 403, "{path}");
    }
    // The check does not look into the body.
    ensure!(example.ask("POST", "/metadata", Some(ANN), "{")?.status == 403);
    ensure!(example.ask("POST", "/metadata", Some(ROOT), "{")?.status == 400);
    for path in
        ["//metadata", "/%6detadata", "/x/../metadata", "/metadata?x", "/secret/", "/secret?"]
    {
        let reply = example.ask("POST", path, Some(ANN), secret)?;
        ensure!([403, 404].contains(&reply.status), "{path}: {reply:?}");
    }
    Ok(())
}

#[test]
fn case_31_33_34_one_group_is_enough_to_see_a_job() -> Result<()> {
    let example = Example::start()?;
    example.describe("other", &["true"], &["nobody-has-it"])?;

    for (who, expected) in
        [(ANN, &["backup", "hello"][..]), (BOB, &["backup", "hello"]), (ROOT, &["hello"])]
    {
        let names = names(&example.get("/metadata", who)?)?;
        ensure!(names == expected, "{who:?}: {names:?}");
    }
    // What a client says of its groups is nothing.
    let forged = format!("{}Outboard-User-Groups: nobody-has-it\r\n", ROOT.headers());
    ensure!(names(&example.get_with("/metadata", &forged)?)? == ["hello"]);
    // 33
    example.put("broken.json", "no job")?;
    let reply = example.get("/metadata", ANN)?;
    ensure!(reply.status == 500 && !reply.text().is_empty(), "{reply:?}");
    Ok(())
}

#[test]
fn n11_the_job_that_is_scheduled_is_the_one_that_was_checked() -> Result<()> {
    let example = Example::start()?;
    let both = json!({ "name": "hello", "jobName": "backup", "seconds": 3600 });

    let reply = example.post("/schedule", BOB, &both)?;
    ensure!(reply.status == 403, "{reply:?}");
    let reply = example.post("/schedule", ANN, &both)?;
    ensure!(reply.status == 201 && reply.json()?["jobName"] == "backup", "{reply:?}");
    ensure!(reply.json()?["userEmail"] == "ann@example.org", "{reply:?}");
    let schedules = example.get("/schedule", ANN)?.json()?;
    ensure!(schedules.as_array().map(Vec::len) == Some(1), "{schedules}");
    Ok(())
}

#[test]
fn n12_who_is_not_active_does_nothing_at_all() -> Result<()> {
    let example = Example::start()?;
    let schedule = json!({ "name": "hello", "seconds": 3600 });
    let id: Value = example.post("/schedule", ANN, &schedule)?.json()?["id"].clone();
    let path = format!("/schedule/{id}");

    for (method, path) in [
        ("DELETE", path.as_str()),
        ("GET", "/schedule"),
        ("GET", "/metadata"),
        ("POST", "/execution"),
    ] {
        let reply = example.ask(method, path, Some(CARL), "")?;
        ensure!(reply.status == 403, "{method} {path}: {reply:?}");
    }
    ensure!(example.ask("DELETE", &path, Some(BOB), "")?.status == 200);
    ensure!(example.ask("DELETE", &path, Some(BOB), "")?.status == 404);
    Ok(())
}

#[test]
fn n21_an_unknown_job_is_not_found() -> Result<()> {
    let example = Example::start()?;
    for name in ["nothing", "../outboard", "hello.json", "HELLO"] {
        let reply = example.post("/execution", ANN, &json!({ "name": name }))?;
        ensure!(reply.status == 404 && reply.text().contains("no such job"), "{name}: {reply:?}");
    }
    Ok(())
}

#[test]
fn ctrl_c_ends_everything_that_was_started() -> Result<()> {
    let mut example = Example::start()?;
    ensure!(!processes::within(example.directory())?.is_empty());
    ensure!(example.stop()? == Some(0));
    let left = processes::within(example.directory())?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn what_is_missing_is_named_all_at_once() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let output = example::command(directory.path())?
        .args(["--outboard", "/no/outboard", "--nginx", "/no/nginx"])
        .stderr(std::process::Stdio::piped())
        .output()?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{told}");
    ensure!(
        told.contains("cargo xtask prepare") && told.contains("apt-get install nginx"),
        "{told}"
    );
    Ok(())
}
