//! Security keys, with one in software.

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::authenticator::{Authenticator, Says};
use super::{ORIGIN, User, expect, people, prepare, winners};

const HOST: &str = "login.example.org";

fn new_key() -> Result<Authenticator> {
    Authenticator::new(ORIGIN, HOST)
}

/// What a browser is asked, and that the page holds the same.
fn asked(reply: &Value, ceremony: &str) -> Result<Value> {
    let fields = reply["page"]["forms"][0]["fields"].as_array().cloned().unwrap_or_default();
    let field = fields.iter().find(|field| field["kind"] == "credential");
    let options = field.map(|field| &field["options"]);
    ensure!(options.is_some_and(|it| it["ceremony"] == ceremony), "{reply}");
    ensure!(options.is_some_and(|it| it["publicKey"] == reply["publicKey"]), "{reply}");
    Ok(reply["publicKey"].clone())
}

fn begin(user: &mut User<'_>) -> Result<Value> {
    asked(&expect(user.register(&json!({ "register": true })), 200)?.json()?, "create")
}

fn finish(credential: &Value) -> Value {
    json!({ "register": "register-credential", "credential": credential, "name": "My key" })
}

/// Adds a key.
fn add(user: &mut User<'_>, key: &mut Authenticator) -> Result<()> {
    let options = begin(user)?;
    expect(user.register(&finish(&key.create(&options)?)), 200).map(drop)
}

/// A proof for a challenge of its own.
fn proof(user: &mut User<'_>, key: &mut Authenticator) -> Result<Value> {
    let options = asked(&expect(user.trigger(), 200)?.json()?, "get")?;
    Ok(json!({ "credential": key.get(&options)? }))
}

on_both_databases! {
    fn a_key_is_registered_proves_and_is_removed(mut stage) {
        prepare(&mut stage, "webauthn", "rp-name = \"Example\"")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "webauthn", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "webauthn")?;
        ensure!(ann.state()? == (false, false));
        expect(ann.trigger(), 401)?;

        let mut key = new_key()?;
        let options = begin(&mut ann)?;
        ensure!(options["rp"] == json!({ "id": HOST, "name": "Example" }), "{options}");
        ensure!(options["user"]["name"] == "ann" && options["attestation"] == "none", "{options}");
        let made = key.create(&options)?;
        expect(ann.register(&finish(&made)), 200)?;
        expect(ann.register(&finish(&made)), 400)?;
        ensure!(ann.state()? == (true, false));
        let told = expect(ann.registration(), 200)?.json()?;
        ensure!(told["credentials"][0]["id"] == key.id(), "{told}");
        ensure!(told["credentials"][0]["name"] == "My key", "{told}");
        let exclude = begin(&mut ann)?["excludeCredentials"].clone();
        ensure!(exclude[0]["id"] == key.id(), "{exclude}");

        let shown = proof(&mut ann, &mut key)?;
        expect(ann.prove(&shown), 200)?;
        ensure!(ann.state()? == (true, true));
        expect(ann.prove(&shown), 401)?;
        let mut other = User::stranger(&supervisor, "ann", "webauthn");
        let shown = proof(&mut other, &mut key)?;
        ensure!(winners(&other, 4, &shown)? == 1);

        let removal = json!({ "register": "remove-credential", "id": key.id() });
        expect(ann.register(&removal), 200)?;
        expect(ann.register(&removal), 400)?;
        ensure!(ann.state()? == (false, false));
        expect(ann.trigger(), 401)?;
        Ok(())
    }

    fn a_proof_that_is_not_what_it_should_be_lets_nobody_in(mut stage) {
        prepare(&mut stage, "webauthn", "")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "webauthn", &["ann", "bob"])?;
        let (mut ann, mut bob) =
            (User::new(&supervisor, "ann", "webauthn")?, User::new(&supervisor, "bob", "webauthn")?);
        let (mut key, mut bobs) = (new_key()?, new_key()?);
        add(&mut ann, &mut key)?;
        add(&mut bob, &mut bobs)?;
        let says = key.says.clone();
        for (what, lie) in [
            ("another origin", Says { origin: "https://evil.example".into(), ..says.clone() }),
            ("another port", Says { origin: format!("{ORIGIN}:8443"), ..says.clone() }),
            ("another site", Says { rp_id: "evil.example".into(), ..says.clone() }),
            ("nobody there", Says { is_present: false, ..says.clone() }),
            ("a frame", Says { is_framed: true, ..says.clone() }),
            ("another challenge", Says { challenge: Some("AAAA".into()), ..says.clone() }),
            ("another user", Says { user_handle: Some("AAAA".into()), ..says.clone() }),
        ] {
            key.says = lie;
            let shown = proof(&mut ann, &mut key)?;
            let reply = ann.prove(&shown)?;
            ensure!(reply.status == 401, "{what}: {reply:?}");
        }
        key.says = says;

        // Somebody else's key, somebody else's challenge, another session's challenge.
        let shown = proof(&mut ann, &mut bobs)?;
        expect(ann.prove(&shown), 401)?;
        let shown = proof(&mut bob, &mut key)?;
        expect(ann.prove(&shown), 401)?;
        let shown = proof(&mut ann, &mut key)?;
        expect(User::stranger(&supervisor, "ann", "webauthn").prove(&shown), 401)?;
        expect(ann.prove(&shown), 200)?;

        // A signature that is a little different, and one by another key.
        let mut shown = proof(&mut ann, &mut key)?;
        let signature = shown["credential"]["response"]["signature"].as_str().unwrap_or_default();
        let last = if signature.ends_with('A') { "E" } else { "A" };
        shown["credential"]["response"]["signature"] =
            format!("{}{last}", &signature[..signature.len() - 1]).into();
        expect(ann.prove(&shown), 401)?;
        let (mut shown, forged) = (proof(&mut ann, &mut bobs)?, key.id());
        shown["credential"]["rawId"] = forged.into();
        expect(ann.prove(&shown), 401)?;

        // A copy of the key that was used less often.
        key.counter = 1;
        let shown = proof(&mut ann, &mut key)?;
        expect(ann.prove(&shown), 401)?;
        supervisor.log.wait(0, "is it a copy?")?;
        key.counter = 100;
        let shown = proof(&mut ann, &mut key)?;
        expect(ann.prove(&shown), 200)?;
        Ok(())
    }

    fn what_is_malformed_is_told_and_registers_nothing(mut stage) {
        prepare(&mut stage, "webauthn", "most-keys = 1")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "webauthn", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "webauthn")?;
        let mut key = new_key()?;
        for data in [json!({}), json!({ "register": "all" }), json!({ "register": 1 })] {
            expect(ann.register(&data), 400)?;
        }
        // Nothing was begun.
        let made = key.create(&json!({ "challenge": "AAAA" }))?;
        expect(ann.register(&finish(&made)), 400)?;
        for broken in [json!(null), json!({}), json!("text"), json!({ "rawId": "!", "response": {} })] {
            expect(ann.register(&finish(&broken)), 400)?;
            expect(ann.prove(&json!({ "credential": broken })), 400)?;
        }
        for lie in [
            Says { origin: "https://evil.example".into(), ..key.says.clone() },
            Says { rp_id: "evil.example".into(), ..key.says.clone() },
            Says { is_present: false, ..key.says.clone() },
        ] {
            let mut key = new_key()?;
            key.says = lie;
            let options = begin(&mut ann)?;
            expect(ann.register(&finish(&key.create(&options)?)), 400)?;
        }
        ensure!(ann.state()? == (false, false));
        add(&mut ann, &mut key)?;
        let full = expect(ann.register(&json!({ "register": true })), 400)?.text();
        ensure!(full.contains("there are 1 keys already"), "{full}");
        expect(ann.register(&json!({ "register": false })), 200)?;
        ensure!(ann.state()? == (false, false));
        Ok(())
    }
}
