//! Logging in and out with a password.

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::{Supervisor, stage::Stage};

use super::person::{Person, Seen};

pub(crate) const COOKIE: &str = "GLEWLWYD2_SESSION_ID";
/// What the administrator of the tests chooses.
pub(crate) const OWN: &str = "a password of my own";

/// The administrator, who has come for the first time.
pub(crate) fn admin<'a>(supervisor: &'a Supervisor<'a>) -> Result<Person<'a>> {
    let first = supervisor.first_password()?;
    let mut admin = Person::new(supervisor);
    let page = admin.sign_in("/login.html", "admin", &first)?.is(200, "Choose a password")?;
    choose(&mut admin, &page, OWN)?;
    Ok(admin)
}

fn choose(person: &mut Person<'_>, page: &Seen, password: &str) -> Result<Seen> {
    let fields = [("new", password), ("again", password)];
    person.send(page, ("step", "new-password"), &fields)
}

#[test]
fn an_operator_is_told_where_people_log_in() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let told = supervisor.table.wait(0, "people: ")?;
    let page = format!("people: http://{}/profile.html", supervisor.address);
    ensure!(told == page, "{told}");
    Person::new(&supervisor).go("/profile.html")?.is(200, "Log in")?;
    Ok(())
}

on_both_databases! {
    fn a_first_administrator_chooses_a_password(stage) {
        let supervisor = stage.serve()?;
        let first = supervisor.first_password()?;
        let mut admin = Person::new(&supervisor);
        let page = admin.sign_in("/login.html", "admin", &first)?.is(200, "Choose a password")?;
        // Nothing else can be done before.
        admin.go("/profile.html")?.is(200, "Choose a password")?;
        let different = [("new", OWN), ("again", "something else")];
        let seen = admin.send(&page, ("step", "new-password"), &different)?;
        let seen = seen.is(400, "Choose a password")?;
        ensure!(seen.has("The two are not the same."), "{}", seen.html);
        let seen = choose(&mut admin, &page, &first)?.is(400, "Choose a password")?;
        ensure!(seen.has("id=\"new-error\""), "the same once more: {}", seen.html);
        let seen = choose(&mut admin, &page, "short")?.is(400, "Choose a password")?;
        ensure!(seen.has("id=\"new-error\""), "{}", seen.html);
        let seen = choose(&mut admin, &page, OWN)?.is(200, "One moment")?;
        ensure!(seen.sends_to().as_deref() == Some("/profile.html"), "{seen:?}");
        admin.go("/profile.html")?.is(200, "Your profile")?;

        let mut again = Person::new(&supervisor);
        again.sign_in("/login.html", "admin", &first)?.is(401, "Log in")?;
        again.sign_in("/login.html", "ADMIN", OWN)?.is(200, "One moment")?;
        Ok(())
    }

    fn who_logs_out_is_gone(stage) {
        let supervisor = stage.serve()?;
        let mut admin = admin(&supervisor)?;
        let before = admin.clone();
        let page = admin.go("/logout.html")?.is(200, "Log out")?;
        ensure!(admin.cookies.contains_key(COOKIE), "a link logs nobody out");
        let seen = admin.send(&page, ("csrf", ""), &[("whom", "all")])?;
        seen.is(200, "You are logged out")?;
        ensure!(!admin.cookies.contains_key(COOKIE), "the cookie is kept");
        admin.go("/profile.html")?.is(200, "Log in")?;
        // The cookie itself is worth nothing any more.
        before.clone().go("/profile.html")?.is(200, "Log in")?;
        admin.go("/logout.html")?.is(200, "You are logged out")?;
        Ok(())
    }
}

#[test]
fn each_sign_in_has_a_cookie_of_its_own() -> Result<()> {
    let stage = e2e::supervisor::stage::Stage::new()?;
    let supervisor = stage.serve()?;
    let mut admin = admin(&supervisor)?;
    let first = admin.cookies[COOKIE].clone();
    let page = admin.go("/login.html?prompt=login")?.is(200, "Log in")?;
    let fields = [("username", "admin"), ("password", OWN)];
    admin.send(&page, ("step", "password"), &fields)?.is(200, "One moment")?;
    ensure!(admin.cookies[COOKIE] != first, "what was known before is known still");
    let mut thief = Person::new(&supervisor);
    thief.cookies.insert(COOKIE.to_owned(), first);
    thief.go("/profile.html")?.is(200, "Log in")?;
    // One that somebody has planted does not become a session.
    let planted = "a".repeat(128);
    let mut victim = Person::new(&supervisor);
    victim.cookies.insert(COOKIE.to_owned(), planted.clone());
    victim.sign_in("/login.html", "admin", OWN)?.is(200, "One moment")?;
    ensure!(victim.cookies[COOKIE] != planted, "the planted cookie is kept");
    Ok(())
}

#[test]
fn wrong_names_and_wrong_passwords_are_the_same_and_have_an_end() -> Result<()> {
    let stage = e2e::supervisor::stage::Stage::new()?;
    stage.configure("[login]\nattempts = 3\n")?;
    let supervisor = stage.serve()?;
    admin(&supervisor)?;
    let mut person = Person::new(&supervisor);
    let page = person.go("/login.html")?;
    let mut attempt = |name: &str, password: &str| {
        let fields = [("username", name), ("password", password)];
        person.send(&page, ("step", "password"), &fields)
    };
    let unknown = attempt("nobody", "nonsense")?.is(401, "Log in")?;
    let wrong = attempt("admin", "nonsense")?.is(401, "Log in")?;
    ensure!(wrong.html == unknown.html.replace("\"nobody\"", "\"admin\""), "they differ");
    attempt("admin", "")?;
    let mut seen = attempt("admin", "nonsense")?;
    for _ in 0..10 {
        if seen.status == 429 {
            break;
        }
        seen = attempt("admin", "nonsense")?;
    }
    let seen = seen.is(429, "Log in")?;
    ensure!(seen.has("There were too many attempts."), "{}", seen.html);
    let wait = seen.header("retry-after").unwrap_or_default();
    ensure!(wait.parse::<u32>().is_ok_and(|it| (1..=60).contains(&it)), "{wait}");
    attempt("admin", OWN)?.is(429, "Log in")?;
    Ok(())
}
