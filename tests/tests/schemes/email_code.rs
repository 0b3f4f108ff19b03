//! Codes by mail, to a mail server of the test's own.

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::receiver::Receiver;
use serde_json::{Value, json};

use super::{PASSWORD, User, expect, people, prepare, winners};

fn parameters(port: u16, more: &str) -> String {
    format!(
        "server = \"localhost\"\nport = {port}\ntls = \"none\"\nfrom = \"noreply@example.org\"\n\
         subject = \"Hello\"\nbody-pattern = \"It is {{CODE}}.\"\n{more}"
    )
}

/// Waits for a mail, and gives the code in it.
fn code(mails: &Receiver) -> Result<String> {
    let mail = mails.next()?;
    ensure!(mail.field("subject") == Some("Hello"), "{mail:?}");
    let code = mail.body.trim().strip_prefix("It is ").context("no code")?;
    let code = code.split('.').next().unwrap_or_default();
    ensure!(code.len() == 6 && code.bytes().all(|it| it.is_ascii_digit()), "{mail:?}");
    Ok(code.to_owned())
}

fn typed(code: &str) -> Value {
    json!({ "code": code })
}

/// Another code than that one.
fn wrong(code: &str) -> Value {
    typed(if code == "000000" { "000001" } else { "000000" })
}

on_both_databases! {
    fn a_code_comes_by_mail_and_is_good_once(mut stage) {
        let mails = Receiver::smtp()?;
        prepare(&mut stage, "email-code", &parameters(mails.port(), "mails = 100"))?;
        let supervisor = stage.serve()?;
        people(&supervisor, "email-code", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "email-code")?;
        ensure!(ann.state()? == (true, false), "who has an e-mail has registered it");
        expect(ann.prove(&typed("000000")), 401)?;

        let told = expect(ann.trigger(), 200)?.text();
        ensure!(told.contains("a…@example.org") && !told.contains("ann@example.org"), "{told}");
        let first = code(&mails)?;
        ensure!(!told.contains(&first), "{told}");
        expect(ann.prove(&wrong(&first)), 401)?;
        expect(ann.prove(&typed(&first)), 200)?;
        ensure!(ann.state()? == (true, true));
        expect(ann.prove(&typed(&first)), 401)?;

        // A new one ends the one before it, and of many who know it one gets in.
        let mut other = User::stranger(&supervisor, "ann", "email-code");
        expect(other.trigger(), 200)?;
        let second = code(&mails)?;
        expect(other.trigger(), 200)?;
        let third = code(&mails)?;
        if second != third {
            expect(other.prove(&typed(&second)), 401)?;
        }
        ensure!(winners(&other, 4, &typed(&third))? == 1);

        // What a session asked for is good in that session only.
        expect(ann.trigger(), 200)?;
        let fourth = code(&mails)?;
        expect(User::stranger(&supervisor, "ann", "email-code").prove(&typed(&fourth)), 401)?;
        expect(ann.prove(&typed(&fourth)), 200)?;

        let log = supervisor.log.all().join("\n");
        for code in [first, second, third, fourth] {
            ensure!(!log.contains(&format!("It is {code}")), "a code is in the log");
        }
        Ok(())
    }

    fn mails_and_tries_are_limited(mut stage) {
        let mails = Receiver::smtp()?;
        let more = "mails = 2\nmails-window = 86400\nattempts = 2\ncode-duration = 86400";
        prepare(&mut stage, "email-code", &parameters(mails.port(), more))?;
        let supervisor = stage.serve()?;
        people(&supervisor, "email-code", &["ann", "bob"])?;
        let mut ann = User::new(&supervisor, "ann", "email-code")?;
        expect(ann.trigger(), 200)?;
        let first = code(&mails)?;
        expect(ann.prove(&wrong(&first)), 401)?;
        expect(ann.prove(&wrong(&first)), 401)?;
        expect(ann.prove(&typed(&first)), 401)?;
        // A new code may be tried again.
        expect(ann.trigger(), 200)?;
        let second = code(&mails)?;
        let refused = expect(ann.trigger(), 400)?.text();
        ensure!(refused.contains("too many codes"), "{refused}");
        expect(ann.prove(&typed(&second)), 200)?;
        let mut bob = User::new(&supervisor, "bob", "email-code")?;
        expect(bob.trigger(), 200)?;
        expect(bob.prove(&typed(&code(&mails)?)), 200)?;
        Ok(())
    }

    fn without_a_mail_server_and_without_an_address_nobody_gets_in(mut stage) {
        // Nothing listens there.
        prepare(&mut stage, "email-code", &parameters(1, "timeout = \"1s\""))?;
        let supervisor = stage.serve()?;
        let mut admin = people(&supervisor, "email-code", &["ann"])?;
        let user = json!({ "username": "bob", "password": PASSWORD, "scope": ["safe", "g_profile"] });
        expect(admin.post("/api/user/", &user), 200)?;
        let mut ann = User::new(&supervisor, "ann", "email-code")?;
        let reply = ann.trigger()?;
        ensure!(reply.status >= 500, "{reply:?}");
        expect(ann.prove(&typed("000000")), 401)?;
        supervisor.log.wait(0, "the mail server can't be used")?;

        let mut bob = User::new(&supervisor, "bob", "email-code")?;
        let reply = bob.trigger()?;
        ensure!((400..500).contains(&reply.status), "{reply:?}");
        expect(bob.prove(&typed("000000")), 401)?;
        Ok(())
    }
}
