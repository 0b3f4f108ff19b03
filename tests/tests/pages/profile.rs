//! One's own account.

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::stage::Stage;
use serde_json::json;

use super::person::Person;
use super::steps::{PASSWORD, SCHEMES, api, ok, prepared};

const NEW: &str = "quite another password";

fn change(
    person: &mut Person<'_>,
    old: &str,
    new: &str,
    again: &str,
) -> Result<super::person::Seen> {
    let page = person.go("/profile.html")?.is(200, "Your profile")?;
    person.fill(&page, ("do", "password"), &[("old", old), ("new", new), ("again", again)])
}

on_both_databases! {
    fn a_password_is_changed_by_whoever_knows_the_old_one(stage) {
        let supervisor = prepared(&stage)?;
        let mut alice = Person::new(&supervisor);
        alice.sign_in("/login.html", "alice", PASSWORD)?;
        let wrong = [
            ("nonsense", NEW, NEW, "old-error"),
            (PASSWORD, NEW, "something else", "again-error"),
            (PASSWORD, "short", "short", "new-error"),
            (PASSWORD, "", "", "new-error"),
        ];
        for (old, new, again, field) in wrong {
            let seen = change(&mut alice, old, new, again)?.is(400, "Your profile")?;
            ensure!(seen.has(&format!("id=\"{field}\"")), "{field}: {}", seen.html);
            ensure!(!seen.has(PASSWORD) && !seen.has(NEW), "{}", seen.html);
        }
        let short = change(&mut alice, PASSWORD, "short", "short")?;
        ensure!(short.has("The password has 5 characters; at least 8 are needed."), "{}", short.html);
        let seen = change(&mut alice, PASSWORD, NEW, NEW)?.is(200, "Your profile")?;
        ensure!(seen.has("Your password was changed."), "{}", seen.html);
        let mut again = Person::new(&supervisor);
        again.sign_in("/login.html", "alice", PASSWORD)?.is(401, "Log in")?;
        again.sign_in("/login.html", "alice", NEW)?.is(200, "One moment")?;
        Ok(())
    }

    fn sessions_elsewhere_are_seen_and_ended(stage) {
        let supervisor = prepared(&stage)?;
        let mut here = Person::new(&supervisor);
        "user-agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\n".clone_into(&mut here.headers);
        here.sign_in("/login.html", "alice", PASSWORD)?;
        let mut others = [(); 3].map(|()| Person::new(&supervisor));
        for other in &mut others {
            other.sign_in("/login.html", "alice", PASSWORD)?;
        }
        let mut bob = Person::new(&supervisor);
        bob.sign_in("/login.html", "bob", PASSWORD)?;
        let page = here.go("/profile.html")?.is(200, "Your profile")?;
        ensure!(page.has("Firefox on Linux <span class=\"tag\">this one</span>"), "{}", page.html);
        let one = page.html.split("name=\"session\" value=\"").nth(1).unwrap_or_default();
        let one = one.split('"').next().unwrap_or_default().to_owned();
        // Nobody ends what is somebody else's.
        let bobs = bob.go("/profile.html")?;
        let token = bobs.form(("do", "password"))?.value("csrf").unwrap_or_default().to_owned();
        bob.post("/profile.html", &[("csrf", &token), ("do", "end-session"), ("session", &one)])?;
        let page = here.go("/profile.html")?;
        ensure!(page.has(&one), "bob has ended it");
        here.fill(&page, ("do", "end-session"), &[("session", &one)])?;
        let page = here.go("/profile.html")?;
        ensure!(!page.has(&one), "it goes on");
        let in_use = |person: &Person<'_>| -> Result<bool> {
            Ok(person.clone().go("/profile.html")?.has("Your profile"))
        };
        let mut count = 0;
        for other in &others {
            count += usize::from(in_use(other)?);
        }
        ensure!(count == 2, "{count} of three are left");
        let token = page.form(("do", "password"))?.value("csrf").unwrap_or_default().to_owned();
        let seen = here.post("/profile.html", &[("csrf", &token), ("do", "end-others")])?;
        here.follow(seen)?.is(200, "Your profile")?;
        for other in &others {
            ensure!(!in_use(other)?, "one goes on");
        }
        ensure!(in_use(&bob)?, "bob has to go, too");
        Ok(())
    }

    fn an_account_is_closed_by_whoever_knows_the_password(stage) {
        let supervisor = prepared(&stage)?;
        let mut alice = Person::new(&supervisor);
        alice.sign_in("/login.html", "alice", PASSWORD)?;
        let page = alice.go("/profile.html")?.is(200, "Your profile")?;
        let seen = alice.send(&page, ("do", "delete"), &[("password", "nonsense")])?;
        let seen = seen.is(400, "Your profile")?;
        ensure!(seen.has("id=\"delete-password-error\""), "{}", seen.html);
        let seen = alice.send(&page, ("do", "delete"), &[("password", PASSWORD)])?;
        seen.is(200, "Your account is closed")?;
        alice.go("/profile.html")?.is(200, "Log in")?;
        alice.sign_in("/login.html", "alice", PASSWORD)?.is(401, "Log in")?;
        Ok(())
    }
}

#[test]
fn an_account_is_closed_as_the_operator_says() -> Result<()> {
    for (word, title, status) in
        [("disable", "Your account is closed", 200), ("no", "Not allowed", 403)]
    {
        let stage = Stage::with_mock()?;
        stage.configure(&format!("[login]\ndelete_profile = \"{word}\"\n{SCHEMES}"))?;
        let supervisor = stage.serve()?;
        let mut admin = api(&supervisor)?;
        let body = json!({ "username": "alice", "password": PASSWORD, "scope": ["g_profile"] });
        ok(admin.post("/api/user/", &body))?;
        let mut alice = Person::new(&supervisor);
        alice.sign_in("/login.html", "alice", PASSWORD)?;
        let page = alice.go("/profile.html")?;
        let form = page.form(("do", "password"))?;
        let csrf = form.value("csrf").unwrap_or_default();
        let fields = [("csrf", csrf), ("do", "delete"), ("password", PASSWORD)];
        alice.post("/profile.html", &fields)?.is(status, title)?;
        let is_there = admin.get("/api/user/alice")?;
        ensure!(is_there.status == 200, "{word}: {}", is_there.status);
        ensure!(is_there.json()?["enabled"] == (word == "no"), "{word}: {}", is_there.text());
    }
    Ok(())
}

#[test]
fn who_lacks_the_scope_of_profiles_has_none() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut admin = api(&supervisor)?;
    let body = json!({ "username": "dave", "password": PASSWORD, "scope": [] });
    ok(admin.post("/api/user/", &body))?;
    let mut dave = Person::new(&supervisor);
    dave.sign_in("/login.html", "dave", PASSWORD)?.is(200, "One moment")?;
    dave.go("/profile.html")?.is(403, "Not for this account")?;
    Ok(())
}

#[test]
fn a_scheme_is_set_up_and_taken_back() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = prepared(&stage)?;
    let mut alice = Person::new(&supervisor);
    alice.sign_in("/login.html", "alice", PASSWORD)?;
    let page = alice.go("/profile.html?scheme=sign")?.is(200, "Secret sign")?;
    let seen = alice.fill(&page, ("do", "register"), &[])?.is(200, "Your profile")?;
    ensure!(seen.has("It is set up."), "{}", seen.html);
    let page = alice.go("/profile.html?scheme=sign")?.is(200, "Secret sign")?;
    let seen = alice.fill(&page, ("do", "deregister"), &[("scheme", "sign")])?;
    ensure!(seen.is(200, "Your profile")?.has("It was removed."), "it is still there");
    alice.go("/profile.html?scheme=none")?.is(404, "Not found")?;
    Ok(())
}
