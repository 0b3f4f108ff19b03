//! Where the pages lead, and where they do not.

use anyhow::{Result, ensure};
use e2e::supervisor::stage::Stage;

use super::login::{OWN, admin};
use super::person::{Person, encode};

#[test]
fn nobody_is_sent_elsewhere() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut admin = admin(&supervisor)?;
    let own = format!("http://{}", supervisor.address);
    for url in [
        "https://evil.example/".to_owned(),
        "//evil.example/".to_owned(),
        "/api/mock/hello/you".to_owned(),
        "javascript:alert(1)".to_owned(),
        format!("{own}@evil.example/api/mock/"),
        format!("{own}.evil.example/api/mock/"),
        format!("{own}/api/mock/../user/"),
        format!("{own}/api/mock/%2e%2e/user/"),
        format!("{own}/api/other/hello"),
        format!("{own}/api/profile/"),
        format!("{own}/login.html"),
        format!("{own}\\api/mock/"),
        format!("{own}/api/mock/\r\nx: y"),
    ] {
        for page in ["login.html", "logout.html"] {
            for mut person in [admin.clone(), Person::new(&supervisor)] {
                let seen = person.go(&format!("/{page}?callback_url={}", encode(&url)))?;
                seen.is(400, "This link is not safe to follow")?;
            }
        }
    }
    let seen =
        admin.go(&format!("/logout.html?post_redirect_to={}", encode("https://evil.example")))?;
    seen.is(400, "This link is not safe to follow")?;
    Ok(())
}

#[test]
fn a_plugin_gets_the_browser_back_and_knows_it() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut admin = admin(&supervisor)?;
    let to = format!("http://{}/api/mock/hello/you?a=b%20c", supervisor.address);
    let back = format!("{to}&g_continue");
    let login = format!("/login.html?callback_url={}", encode(&to));
    let seen = admin.open(&login)?;
    ensure!(seen.status == 303 && seen.location().as_deref() == Some(&back), "{seen:?}");

    // Somebody who has to log in first is sent on by the page, not by a redirection behind the form.
    let mut person = Person::new(&supervisor);
    let seen = person.sign_in(&login, "admin", OWN)?.is(200, "One moment")?;
    ensure!(seen.sends_to().as_deref() == Some(&back), "{seen:?}");

    // The same after a log-out.
    let logout = format!("/logout.html?callback_url={}", encode(&to));
    let page = person.go(&logout)?.is(200, "Log out")?;
    let seen = person.send(&page, ("csrf", ""), &[("whom", "all")])?.is(200, "One moment")?;
    ensure!(seen.sends_to().as_deref() == Some(&back), "{seen:?}");
    Ok(())
}

#[test]
fn a_prompt_is_followed_once() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut admin = admin(&supervisor)?;
    let to = encode(&format!("http://{}/api/mock/hello/you", supervisor.address));
    for prompt in ["prompt=login", "refresh_login=1"] {
        let page = admin.go(&format!("/login.html?{prompt}&callback_url={to}&login_hint=admin"))?;
        let page = page.is(200, "Confirm that it is you")?;
        let fields = [("username", "admin"), ("password", OWN)];
        admin.send(&page, ("step", "password"), &fields)?.is(200, "One moment")?;
    }
    let page = admin.go(&format!("/login.html?prompt=select_account&callback_url={to}"))?;
    let page = page.is(200, "Choose an account")?;
    let seen = admin.send(&page, ("step", "select"), &[("username", "admin")])?;
    seen.is(200, "One moment")?;
    let page = admin.go(&format!("/login.html?prompt=end_session&callback_url={to}"))?;
    page.is(200, "Log out")?;
    let page = admin.go("/login.html?prompt=device&plugin=mock")?.is(200, "Connect a device")?;
    ensure!(page.has("action=\"&#x2f;api&#x2f;mock&#x2f;device\""), "{}", page.html);
    admin.go("/login.html?prompt=deviceCodeError&plugin=mock")?.is(400, "Connect a device")?;
    admin.go("/login.html?prompt=deviceComplete")?.is(200, "Your device is connected")?;
    admin.go("/login.html?prompt=deviceServerError")?.is(500, "That did not work")?;
    admin.go("/login.html?ciba_message=complete")?.is(200, "Done")?;
    admin.go("/login.html?ciba_message=invalid")?.is(400, "Nothing to confirm")?;
    Ok(())
}
