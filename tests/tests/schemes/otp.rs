//! One-time passwords: an app as the test has it makes the codes.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use e2e::on_both_databases;
use serde_json::json;

use super::{PASSWORD, User, expect, people, prepare, scheme, winners};

/// `12345678901234567890` in base 32, and its codes, in appendix D of RFC 4226.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const CODES: [&str; 10] = [
    "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
    "520489",
];

/// Bytes of a secret in base 32 (RFC 4648).
fn bytes(secret: &str) -> Result<Vec<u8>> {
    let (mut bytes, mut rest, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in secret.bytes() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let value = alphabet.iter().position(|it| *it == letter).context("no base 32")?;
        rest = rest << 5 | u32::try_from(value)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(rest >> bits & 0xff)?);
        }
    }
    Ok(bytes)
}

/// RFC 4226, with six digits.
fn code(secret: &str, counter: u64) -> Result<String> {
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes(secret)?);
    let hash = sign(&key, &counter.to_be_bytes());
    let hash = hash.as_ref();
    let at = usize::from(hash[19] & 0xf);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into()?) & 0x7fff_ffff;
    Ok(format!("{:06}", number % 1_000_000))
}

/// The step of time that it is (RFC 6238).
fn step() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 30)
}

fn hotp() -> serde_json::Value {
    json!({ "type": "HOTP", "secret": SECRET })
}

#[test]
fn the_tests_app_is_one() -> Result<()> {
    for (counter, expected) in (0..).zip(CODES) {
        ensure!(code(SECRET, counter)? == expected, "{counter}");
    }
    Ok(())
}

on_both_databases! {
    fn an_app_is_registered_proves_once_for_each_code_and_is_forgotten(mut stage) {
        prepare(&mut stage, "otp", "issuer = \"Example\"")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "otp", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "otp")?;
        ensure!(ann.state()? == (false, false));
        expect(ann.prove(&json!({ "code": "123456" })), 401)?;

        let begun = expect(ann.register(&json!({ "register": true })), 200)?.json()?;
        let secret = begun["secret"].as_str().context("no secret")?.to_owned();
        ensure!(bytes(&secret)?.len() == 20, "{begun}");
        let url = format!("otpauth://totp/Example:ann?secret={secret}&issuer=Example&");
        ensure!(begun["url"].as_str().is_some_and(|it| it.starts_with(&url)), "{begun}");
        let image = begun["page"]["image"].as_str().unwrap_or_default();
        ensure!(image.starts_with("data:image/svg+xml;base64,"), "{begun}");
        ensure!(!ann.state()?.0, "it does not count before it is confirmed");
        expect(ann.prove(&json!({ "code": code(&secret, step()?)? })), 401)?;

        let now = step()?;
        expect(ann.register(&json!({ "confirm": true, "code": code(&secret, now + 9)? })), 400)?;
        expect(ann.register(&json!({ "confirm": true })), 400)?;
        let confirmed = code(&secret, now)?;
        expect(ann.register(&json!({ "confirm": true, "code": confirmed })), 200)?;
        expect(ann.register(&json!({ "confirm": true, "code": confirmed })), 400)?;
        ensure!(ann.state()? == (true, false));
        let told = expect(ann.registration(), 200)?;
        ensure!(told.json()?["type"] == "TOTP" && told.json()?["issuer"] == "Example", "{told:?}");
        ensure!(!told.text().contains(&secret), "{told:?}");

        // The code that confirmed is used; the next one is good already, for one of many.
        expect(ann.prove(&json!({ "code": confirmed })), 401)?;
        let next = json!({ "code": code(&secret, now + 1)? });
        ensure!(winners(&User::stranger(&supervisor, "ann", "otp"), 4, &next)? == 1);
        ensure!(!ann.state()?.1, "that was in other browsers");
        expect(ann.prove(&next), 401)?;

        expect(ann.register(&json!({ "type": "NONE" })), 200)?;
        ensure!(ann.state()? == (false, false));
        expect(ann.prove(&json!({ "code": code(&secret, step()? + 1)? })), 401)?;
        let log = supervisor.log.all().join("\n");
        ensure!(!log.contains(&secret), "the secret is in the log");
        Ok(())
    }

    fn a_token_counts_and_its_codes_are_used_in_order(mut stage) {
        prepare(&mut stage, "otp", "attempts = 100")?;
        {
            let supervisor = stage.serve()?;
            people(&supervisor, "otp", &["ann"])?;
            let mut ann = User::new(&supervisor, "ann", "otp")?;
            expect(ann.register(&hotp()), 200)?;
            expect(ann.prove(&json!({ "value": CODES[0] })), 200)?;
            ensure!(ann.state()? == (true, true));
            expect(ann.prove(&json!({ "value": CODES[0] })), 401)?;
            expect(ann.prove(&json!({ "code": CODES[3] })), 200)?;
            for used in &CODES[..4] {
                expect(ann.prove(&json!({ "code": used })), 401)?;
            }
            let one = winners(&ann, 8, &json!({ "code": CODES[4] }))?;
            ensure!(one == 1, "{one} of them got in");
            let mut supervisor = supervisor;
            ensure!(supervisor.stop()? == 0);
        }
        // It is in the database, not in the process.
        let supervisor = stage.serve()?;
        let mut ann = User::new(&supervisor, "ann", "otp")?;
        expect(ann.prove(&json!({ "code": CODES[4] })), 401)?;
        expect(ann.prove(&json!({ "code": CODES[5] })), 200)?;
        Ok(())
    }

    fn wrong_codes_are_limited_for_each_user_and_right_ones_then_refused(mut stage) {
        prepare(&mut stage, "otp", "attempts = 3\nattempts-window = 86400")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "otp", &["ann", "bob"])?;
        for name in ["ann", "bob"] {
            expect(User::new(&supervisor, name, "otp")?.register(&hotp()), 200)?;
        }
        let mut ann = User::stranger(&supervisor, "ann", "otp");
        expect(ann.prove(&json!({ "code": "000000" })), 401)?;
        expect(ann.prove(&json!({ "code": "000000" })), 401)?;
        expect(ann.prove(&json!({ "code": CODES[0] })), 200)?;
        // The right one has ended the count.
        for _ in 0..3 {
            expect(ann.prove(&json!({ "code": "000000" })), 401)?;
        }
        expect(ann.prove(&json!({ "code": CODES[1] })), 401)?;
        let mut bob = User::stranger(&supervisor, "bob", "otp");
        expect(bob.prove(&json!({ "code": CODES[0] })), 200)?;
        supervisor.log.wait(0, "too many codes were tried")?;
        Ok(())
    }

    fn what_is_malformed_is_told_and_changes_nothing(mut stage) {
        prepare(&mut stage, "otp", "totp-window = 0\nhotp-window = 0")?;
        let supervisor = stage.serve()?;
        people(&supervisor, "otp", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "otp")?;
        for (data, field) in [
            (json!({}), "type"),
            (json!({ "type": "HOTP" }), "secret"),
            (json!({ "type": "OTHER", "secret": SECRET }), "type"),
            (json!({ "type": "TOTP", "secret": "GEZDGNBV" }), "secret"),
            (json!({ "type": "TOTP", "secret": "not base 32!" }), "secret"),
            (json!({ "type": "TOTP", "secret": "A".repeat(256) }), "secret"),
            (json!({ "type": "HOTP", "secret": SECRET, "moving_factor": -1 }), "moving_factor"),
            (json!({ "type": "TOTP", "secret": SECRET, "time_step_size": 0 }), "time_step_size"),
            (json!({ "type": "TOTP", "secret": SECRET, "time_step_size": 121 }), "time_step_size"),
            (json!({ "type": "HOTP", "secret": SECRET, "code": "000000" }), "code"),
            (json!({ "register": true, "type": "OTHER" }), "type"),
            (json!({ "confirm": true, "code": "000000" }), "code"),
        ] {
            let reply = expect(ann.register(&data), 400)?;
            let told = reply.text();
            ensure!(told.starts_with(&format!("[\"{field}: ")), "{data}: {told}");
            ensure!(!told.contains(SECRET), "{told}");
        }
        ensure!(ann.state()? == (false, false));
        expect(ann.register(&hotp()), 200)?;
        for value in [json!({}), json!({ "code": 755_224 }), json!({ "code": "1".repeat(40) })] {
            expect(ann.prove(&value), 400)?;
        }
        for value in ["", "75522", "7552244", "\u{0}", "' OR 1=1 --", "７５５２２４"] {
            expect(ann.prove(&json!({ "code": value })), 401)?;
        }
        ensure!(!ann.state()?.1);
        Ok(())
    }

    fn who_is_deleted_and_made_anew_has_registered_nothing(mut stage) {
        prepare(&mut stage, "otp", "")?;
        let supervisor = stage.serve()?;
        let mut admin = people(&supervisor, "otp", &["ann"])?;
        expect(User::new(&supervisor, "ann", "otp")?.register(&hotp()), 200)?;
        expect(admin.delete("/api/user/ann"), 200)?;
        let user = json!({
            "username": "ann", "password": PASSWORD, "scope": ["g_profile", "safe"],
        });
        expect(admin.post("/api/user/", &user), 200)?;
        let mut ann = User::new(&supervisor, "ann", "otp")?;
        ensure!(ann.state()? == (false, false));
        expect(ann.prove(&json!({ "code": CODES[0] })), 401)?;
        Ok(())
    }

    fn without_the_grant_nobody_registers_and_the_log_says_what_to_do(mut stage) {
        prepare(&mut stage, "otp", "")?;
        let config = scheme("otp", "").replace("[\"storage\"]", "[]");
        stage.configure(&config)?;
        let supervisor = stage.serve()?;
        people(&supervisor, "otp", &["ann"])?;
        let mut ann = User::new(&supervisor, "ann", "otp")?;
        let reply = ann.register(&json!({ "register": true }))?;
        ensure!(reply.status >= 400, "{reply:?}");
        ensure!(!reply.text().contains("secret"), "{reply:?}");
        let reply = ann.prove(&json!({ "code": CODES[0] }))?;
        ensure!(reply.status >= 400 && ann.client.cookie.is_some(), "{reply:?}");
        supervisor.log.wait(0, "outboard plugin grant")?;
        Ok(())
    }
}
