//! Log-ins that need more than a password, and what applications ask for.

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::Supervisor;
use e2e::supervisor::api::Client;
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

use super::login::{COOKIE, admin};
use super::person::{Person, encode};

pub(crate) const PASSWORD: &str = "a password of users";

/// Two schemes of the mock: one code is enough for "photos", both are needed for "bank".
pub(crate) const SCHEMES: &str = r#"
[[instance]]
name = "mock"
plugin = "mock"

[[instance]]
name = "word"
plugin = "mock"
kind = "scheme"
display_name = "Secret word"
[instance.parameters]
mock-value = "sesame"
scheme = { registered = ["alice", "bob"] }

[[instance]]
name = "sign"
plugin = "mock"
kind = "scheme"
display_name = "Secret sign"
[instance.parameters]
mock-value = "triangle"
scheme = { registered = ["bob"] }
"#;

/// A supervisor with the schemes, and what the administrator has to do.
pub(crate) fn prepared(stage: &Stage) -> Result<Supervisor<'_>> {
    stage.install("mock")?;
    stage.configure(SCHEMES)?;
    let supervisor = stage.serve()?;
    let mut admin = api(&supervisor)?;
    let group = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({ "scheme_name": name, "scheme_type": "mock" })).collect()
    };
    for (name, shown, schemes, required) in [
        ("mail", "Your mail", &[][..], 0),
        ("photos", "Your photos", &["word", "sign"], 1),
        ("bank", "Your money", &["word", "sign"], 2),
    ] {
        let mut scope = json!({ "name": name, "display_name": shown, "description": "", "password_required": true });
        if !schemes.is_empty() {
            scope["scheme"] = json!({ "second": group(schemes) });
            scope["scheme_required"] = json!({ "second": required });
        }
        ok(admin.post("/api/scope/", &scope))?;
    }
    for (name, scopes) in [
        ("alice", &["g_profile", "mail", "photos"][..]),
        ("bob", &["g_profile", "mail", "photos", "bank"]),
        ("carol", &["g_profile", "photos"]),
    ] {
        ok(admin.post("/api/user/", &user(name, scopes)))?;
    }
    ok(admin.post("/api/client/", &client(&supervisor)))?;
    Ok(supervisor)
}

/// The administrator, who has chosen a password and asks the API.
pub(crate) fn api<'a>(supervisor: &'a Supervisor<'a>) -> Result<Client<'a>> {
    let person = admin(supervisor)?;
    let mut api = supervisor.client();
    api.cookie = Some(person.cookies.get(COOKIE).context("not signed in")?.clone());
    Ok(api)
}

fn user(name: &str, scopes: &[&str]) -> Value {
    json!({
        "username": name, "name": format!("{name} Example"), "email": format!("{name}@example.org"),
        "password": PASSWORD, "scope": scopes,
    })
}

fn client(supervisor: &Supervisor<'_>) -> Value {
    let own = format!("http://{}/api/mock/hello/you", supervisor.address);
    json!({
        "client_id": "album", "name": "Photo Album", "confidential": false, "enabled": true,
        "redirect_uri": ["https://album.example/back", own], "scope": ["mail"],
    })
}

pub(crate) fn ok(reply: Result<e2e::supervisor::http::Reply>) -> Result<()> {
    let reply = reply?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    Ok(())
}

fn to(supervisor: &Supervisor<'_>) -> String {
    format!("http://{}/api/mock/hello/you?state=s", supervisor.address)
}

fn login(supervisor: &Supervisor<'_>, client: &str, scope: &str) -> String {
    let client = if client.is_empty() { String::new() } else { format!("client_id={client}&") };
    format!("/login.html?{client}scope={}&callback_url={}", encode(scope), encode(&to(supervisor)))
}

fn done(supervisor: &Supervisor<'_>) -> String {
    format!("{}&g_continue", to(supervisor))
}

on_both_databases! {
    fn a_scope_is_reached_by_password_and_scheme(stage) {
        let supervisor = prepared(&stage)?;
        let mut alice = Person::new(&supervisor);
        let url = login(&supervisor, "", "photos");
        let page = alice.sign_in(&url, "alice", PASSWORD)?.is(200, "One more step")?;
        ensure!(page.has("Secret word") && !page.has("Secret sign"), "{}", page.html);
        let code = alice.send(&page, ("step", "trigger"), &[("scheme", "word")])?;
        let code = code.is(200, "Secret word")?;
        let wrong = alice.send(&code, ("step", "scheme"), &[("field.code", "nonsense")])?;
        let wrong = wrong.is(401, "Secret word")?;
        ensure!(wrong.has("id=\"f1-1-error\""), "{}", wrong.html);
        let seen = alice.send(&wrong, ("step", "scheme"), &[("field.code", "sesame")])?;
        let seen = seen.is(200, "One moment")?;
        ensure!(seen.sends_to() == Some(done(&supervisor)), "{seen:?}");
        // It counts for the next time.
        let seen = alice.go(&url)?;
        ensure!(seen.location() == Some(done(&supervisor)), "{seen:?}");
        Ok(())
    }

    fn both_schemes_of_a_group_are_asked_for_one_after_the_other(stage) {
        let supervisor = prepared(&stage)?;
        let mut bob = Person::new(&supervisor);
        let mut page = bob.sign_in(&login(&supervisor, "", "bank"), "bob", PASSWORD)?;
        for (scheme, title, word) in
            [("sign", "Secret sign", "triangle"), ("word", "Secret word", "sesame")]
        {
            page = page.is(200, "One more step")?;
            let code = bob.send(&page, ("step", "trigger"), &[("scheme", scheme)])?;
            let code = code.is(200, title)?;
            page = bob.fill(&code, ("step", "scheme"), &[("field.code", word)])?;
        }
        ensure!(page.is(200, "One moment")?.sends_to() == Some(done(&supervisor)), "not there");
        Ok(())
    }

    fn consent_is_asked_for_kept_and_taken_back(stage) {
        let supervisor = prepared(&stage)?;
        let mut bob = Person::new(&supervisor);
        let url = login(&supervisor, "album", "mail g_profile");
        let page = bob.sign_in(&url, "bob", PASSWORD)?.is(200, "Allow Photo Album?")?;
        ensure!(page.has("Your mail") && page.has("album.example"), "{}", page.html);
        let refused = bob.send(&page, ("step", "consent"), &[("answer", "refuse"), ("scope", "mail")])?;
        let refused = refused.is(200, "Not allowed")?;
        let denied = format!("{}&error=access_denied&g_continue", to(&supervisor));
        ensure!(refused.sends_to() == Some(denied), "{refused:?}");
        let page = bob.go(&url)?.is(200, "Allow Photo Album?")?;
        // What is not offered can't be granted.
        let fields = [("answer", "allow"), ("scope", "mail"), ("scope", "bank"), ("scope", "g_admin")];
        let seen = bob.send(&page, ("step", "consent"), &fields)?.is(200, "One moment")?;
        ensure!(seen.sends_to() == Some(done(&supervisor)), "{seen:?}");
        let profile = bob.go("/profile.html")?.is(200, "Your profile")?;
        ensure!(profile.has("Photo Album") && profile.has("Your mail"), "{}", profile.html);
        ensure!(!profile.has("Your money") && !profile.has("g_admin"), "{}", profile.html);
        // Nothing is asked a second time, unless the prompt says so or there is more.
        let only = bob.go(&login(&supervisor, "album", "mail"))?;
        ensure!(only.location() == Some(done(&supervisor)), "{only:?}");
        bob.go(&format!("{}&prompt=consent", login(&supervisor, "album", "mail")))?
            .is(200, "Allow Photo Album?")?;
        bob.go(&url)?.is(200, "Allow Photo Album?")?;
        let revoked = bob.fill(&profile, ("do", "revoke"), &[("client", "album")])?;
        ensure!(revoked.has("You have given no application access"), "{}", revoked.html);
        bob.go(&login(&supervisor, "album", "mail"))?.is(200, "Allow Photo Album?")?;
        Ok(())
    }
}

#[test]
fn a_refusal_is_told_to_whoever_asked_and_to_nobody_else() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = prepared(&stage)?;
    let mut bob = Person::new(&supervisor);
    let url = |to: &str| format!("/login.html?client_id=album&scope=mail{to}");
    let refuse = |bob: &mut Person<'_>, url: &str| {
        let page = bob.go(url)?.is(200, "Allow Photo Album?")?;
        // With nothing chosen, "allow" is a refusal as well.
        bob.send(&page, ("step", "consent"), &[("answer", "allow")])?.is(200, "Not allowed")
    };
    bob.sign_in("/login.html", "bob", PASSWORD)?.is(200, "One moment")?;
    // Where nobody waits, the page says it.
    let profile =
        format!("&callback_url={}", encode(&format!("http://{}/profile.html", supervisor.address)));
    for to in ["", profile.as_str()] {
        let seen = refuse(&mut bob, &url(to))?;
        ensure!(seen.sends_to().is_none() && seen.has("You can close this window"), "{seen:?}");
    }
    // What the client has registered is told as OAuth has it, and otherwise left as it is.
    let back = "https://album.example/back";
    let seen = refuse(&mut bob, &url(&format!("&callback_url={}", encode(back))))?;
    ensure!(seen.sends_to() == Some(format!("{back}?error=access_denied")), "{seen:?}");
    Ok(())
}

#[test]
fn nobody_skips_a_step() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = prepared(&stage)?;
    let url = login(&supervisor, "album", "photos");
    let mut alice = Person::new(&supervisor);
    let page = alice.sign_in(&url, "alice", PASSWORD)?.is(200, "One more step")?;
    let token = page.form(("step", "trigger"))?.value("csrf").unwrap_or_default().to_owned();
    let csrf = ("csrf", token.as_str());
    // Consent before the scheme has done its part.
    let fields = [csrf, ("step", "consent"), ("answer", "allow"), ("scope", "photos")];
    let seen = alice.post(&url, &fields)?;
    alice.follow(seen)?.is(200, "One more step")?;
    // A password for one time, for one who has none.
    let fields = [csrf, ("step", "new-password"), ("new", "another one"), ("again", "another one")];
    alice.post(&url, &fields)?.is(403, "Not allowed")?;
    // A scheme that is not set up, is none, or is nobody's.
    for (scheme, status) in [("sign", 401), ("none", 404), ("mock", 404), ("", 404)] {
        let fields = [csrf, ("step", "scheme"), ("scheme", scheme), ("field.code", "sesame")];
        let seen = alice.post(&url, &fields)?;
        ensure!(seen.status == status, "{scheme}: {} {}", seen.status, seen.html);
    }
    let fields = [csrf, ("step", "select"), ("username", "bob")];
    let seen = alice.post(&url, &fields)?;
    alice.follow(seen)?.is(200, "Log in")?;
    let seen = alice.post(&url, &[csrf, ("step", "nonsense")])?;
    alice.follow(seen)?.is(200, "One more step")?;
    Ok(())
}

#[test]
fn who_lacks_a_scheme_or_a_scope_is_told_so() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = prepared(&stage)?;
    let mut carol = Person::new(&supervisor);
    let url = login(&supervisor, "", "photos");
    let page = carol.sign_in(&url, "carol", PASSWORD)?;
    let page = page.is(403, "One more step is missing")?;
    ensure!(page.has("Secret word"), "{}", page.html);
    // She sets it up by herself, and the log-in goes on where it was.
    let profile = carol.go(&page.link("Set one up")?)?.is(200, "Your profile")?;
    let word = profile.link("Set up")?.replace("scheme=sign", "scheme=word");
    let page = carol.go(&word)?.is(200, "Secret word")?;
    let seen = carol.fill(&page, ("do", "register"), &[])?.is(200, "It is set up")?;
    let on = seen.sends_to().context("the log-in is lost")?;
    let page = carol.go(&on)?.is(200, "One more step")?;
    let code = carol.send(&page, ("step", "trigger"), &[("scheme", "word")])?;
    let seen = carol.send(&code, ("step", "scheme"), &[("field.code", "sesame")])?;
    let seen = seen.is(200, "One moment")?;
    ensure!(seen.sends_to() == Some(done(&supervisor)), "{seen:?}");
    carol.go(&login(&supervisor, "", "bank"))?.is(403, "Not for this account")?;
    carol.go(&login(&supervisor, "", "nothing"))?.is(403, "Not for this account")?;
    // Of several scopes, those count that are hers.
    let seen = carol.go(&login(&supervisor, "", "bank photos"))?;
    ensure!(seen.location() == Some(done(&supervisor)), "{seen:?}");
    Ok(())
}

#[test]
fn one_browser_may_have_several_accounts() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = prepared(&stage)?;
    let mut person = Person::new(&supervisor);
    person.sign_in("/login.html", "alice", PASSWORD)?.is(200, "One moment")?;
    person.sign_in("/login.html?prompt=login", "bob", PASSWORD)?.is(200, "One moment")?;
    let page = person.go("/login.html?prompt=select_account")?.is(200, "Choose an account")?;
    ensure!(page.has("alice Example") && page.has("bob Example"), "{}", page.html);
    person.send(&page, ("step", "select"), &[("username", "alice")])?.is(200, "One moment")?;
    ensure!(person.go("/profile.html")?.has("alice@example.org"), "not alice");
    let page = person.go("/logout.html")?;
    person.send(&page, ("csrf", ""), &[("whom", "current")])?.is(200, "You are logged out")?;
    ensure!(person.go("/profile.html")?.has("bob@example.org"), "bob has gone as well");
    Ok(())
}
