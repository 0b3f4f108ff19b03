//! Forms of other people's pages, and pages in other people's frames.

use anyhow::{Result, ensure};
use e2e::supervisor::stage::Stage;

use super::person::Person;

const FIELDS: [(&str, &str); 3] =
    [("step", "password"), ("username", "admin"), ("password", "nonsense")];

fn with(token: &str) -> Vec<(&str, &str)> {
    [&[("csrf", token)][..], &FIELDS].concat()
}

#[test]
fn a_form_without_what_only_our_page_knows_does_nothing() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let mut person = Person::new(&supervisor);
    person.post("/login.html", &FIELDS)?.is(403, "Please try again")?;
    let page = person.go("/login.html")?.is(200, "Log in")?;
    person.post("/login.html", &FIELDS)?.is(403, "Please try again")?;
    person.post("/login.html", &with("nonsense"))?.is(403, "Please try again")?;
    // Somebody else's browser.
    let token = page.form(("step", "password"))?.value("csrf").unwrap_or_default().to_owned();
    let mut other = Person::new(&supervisor);
    other.go("/login.html")?;
    other.post("/login.html", &with(&token))?.is(403, "Please try again")?;
    person.post("/login.html", &with(&token))?.is(401, "Log in")?;
    Ok(())
}

#[test]
fn a_form_of_another_origin_does_nothing_even_if_it_knows() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let mut person = Person::new(&supervisor);
    let own = format!("origin: http://{}\r\n", supervisor.address);
    for (headers, status) in [
        ("origin: null\r\n", 403),
        ("origin: https://evil.example\r\n", 403),
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\n", 403),
        ("origin: null\r\nsec-fetch-site: same-origin\r\n", 403),
        ("sec-fetch-site: same-origin\r\n", 401),
        (own.as_str(), 401),
        ("", 401),
    ] {
        person.headers.clear();
        let page = person.go("/login.html")?;
        headers.clone_into(&mut person.headers);
        let seen = person.send(&page, ("step", "password"), &FIELDS[1..])?;
        ensure!(seen.status == status, "{headers:?}: {}", seen.status);
    }
    Ok(())
}

#[test]
fn every_page_says_what_may_be_done_with_it() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let mut person = Person::new(&supervisor);
    for path in ["/login.html", "/logout.html", "/profile.html", "/login.html?callback_url=x"] {
        let seen = person.open(path)?;
        let policy = seen.header("content-security-policy").unwrap_or_default();
        if seen.location().is_none() {
            ensure!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
            ensure!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "{policy}"
            );
            ensure!(!policy.contains("script-src"), "{path}: {policy}");
            ensure!(
                !seen.has("<script") && !seen.has(" style=") && !seen.has(" onclick"),
                "{path}"
            );
        }
        ensure!(seen.header("cache-control") == Some("no-store"), "{path}");
        ensure!(seen.header("x-frame-options") == Some("DENY"), "{path}");
        ensure!(seen.header("referrer-policy") == Some("same-origin"), "{path}");
        ensure!(seen.header("x-content-type-options") == Some("nosniff"), "{path}");
    }
    let page = person.go("/login.html")?;
    let css = page.html.split("href=\"").find(|it| it.contains("pages.css")).unwrap_or_default();
    let css = css.split('"').next().unwrap_or_default().replace("&#x2f;", "/");
    let seen = person.open(&css)?;
    ensure!(seen.status == 200 && seen.header("content-type") == Some("text/css; charset=utf-8"));
    ensure!(seen.header("cache-control").is_some_and(|it| it.contains("immutable")), "{css}");
    ensure!(person.open("/assets/none.css")?.status == 404);
    ensure!(person.open("/assets/..%2fCargo.toml")?.status >= 400);
    Ok(())
}

#[test]
fn what_people_type_is_never_markup() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let mut person = Person::new(&supervisor);
    // A product that no token or port has in it by chance.
    let (evil, product) = ("<script>alert(1)</script>\"'{{ 70001*70001 }}", "4900140001");
    let hint = super::person::encode(evil);
    for path in [
        format!("/login.html?login_hint={hint}"),
        format!("/login.html?client_id={hint}&scope={hint}&{hint}={hint}"),
        format!("/login.html?callback_url={hint}"),
        format!("/login.html?prompt=device&plugin={hint}"),
        format!("/logout.html?callback_url={hint}"),
        format!("/profile.html?done={hint}&scheme={hint}"),
    ] {
        let seen = person.go(&path)?;
        ensure!(!seen.has("<script>") && !seen.has(product), "{path}: {}", seen.html);
        ensure!(seen.status < 500, "{path}: {}", seen.status);
    }
    let page = person.go("/login.html")?;
    let fields = [("username", evil), ("password", evil)];
    let seen = person.send(&page, ("step", "password"), &fields)?.is(401, "Log in")?;
    ensure!(!seen.has("<script>") && seen.has("&lt;script&gt;"), "{}", seen.html);
    Ok(())
}

#[test]
fn a_body_that_is_no_form_is_refused() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    let long = "a".repeat(200_000);
    for (headers, body, status) in [
        ("content-type: application/json\r\n", "{}", 415),
        ("", "a=b", 415),
        ("content-type: application/x-www-form-urlencoded\r\n", long.as_str(), 413),
        ("content-type: application/x-www-form-urlencoded\r\n", "%ff%00=%ff", 403),
    ] {
        let reply = supervisor.request("POST", "/login.html", headers, body)?;
        ensure!(reply.status == status, "{headers}{status}: {}", reply.status);
    }
    let reply = supervisor.request("DELETE", "/login.html", "", "")?;
    ensure!(reply.status == 405, "{}", reply.status);
    Ok(())
}
