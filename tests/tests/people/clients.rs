//! `clients.*`: each call of the host's service, and what it makes of bad input.

use anyhow::ensure;
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{MOCK, done, listed, names, prepare, refused};

on_both_databases! {
    fn a_plugin_adds_sees_changes_and_deletes_a_client(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let shop = json!({
            "client_id": "shop", "name": "Shop", "description": "sells", "confidential": true, "scopes": ["orders"],
            "properties": { "redirect_uri": ["https://shop.example/a", "https://shop.example/b"] },
        });
        let added = done(&supervisor, "clients.add", &json!({ "client": shop }))?;
        for field in ["client_id", "name", "description", "confidential", "scopes", "properties"] {
            ensure!(added[field] == shop[field], "{field}: {added}");
        }
        ensure!(added["enabled"] == true && added["source"] == "database", "{added}");
        let got = done(&supervisor, "clients.get", &json!({ "client_id": "shop" }))?;
        ensure!(got == added, "{got}");
        ensure!(done(&supervisor, "clients.get", &json!({ "client_id": "SHOP" }))? == Value::Null);

        let change = json!({ "description": "", "confidential": false, "properties": { "logo": "x" } });
        let changed = done(&supervisor, "clients.set", &json!({ "client_id": "shop", "client": change }))?;
        ensure!(changed["description"] == Value::Null && changed["confidential"] == false, "{changed}");
        ensure!(changed["name"] == "Shop" && changed["properties"]["logo"] == "x", "{changed}");
        let (errors, _) = refused(&supervisor, "clients.add", &json!({ "client": shop }), "Conflict")?;
        names(&errors, "client_id")?;

        done(&supervisor, "clients.add", &json!({ "client": { "client_id": "blog" } }))?;
        let list = done(&supervisor, "clients.list", &json!({}))?;
        ensure!(listed(&list, "client_id") == ["blog", "shop"], "{list}");
        let list = done(&supervisor, "clients.list", &json!({ "pattern": "SHO", "limit": 1 }))?;
        ensure!(listed(&list, "client_id") == ["shop"], "{list}");

        done(&supervisor, "clients.delete", &json!({ "client_id": "shop" }))?;
        ensure!(done(&supervisor, "clients.get", &json!({ "client_id": "shop" }))? == Value::Null);
        for name in ["clients.set", "clients.delete"] {
            refused(&supervisor, name, &json!({ "client_id": "shop", "client": {} }), "NotFound")?;
        }
        Ok(())
    }

    fn a_client_is_who_it_says_by_its_secret_or_its_password(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let secret = json!({ "client_id": "secret", "properties": { "client_secret": "s3cret value" } });
        let password = json!({ "client_id": "password", "password": "correct horse" });
        for client in [&secret, &password] {
            done(&supervisor, "clients.add", &json!({ "client": client }))?;
        }
        for (id, right) in [("secret", "s3cret value"), ("password", "correct horse")] {
            let checked = done(&supervisor, "clients.check", &json!({ "client_id": id, "password": right }))?;
            ensure!(checked["client_id"] == id, "{checked}");
            done(&supervisor, "clients.check", &json!({ "client_id": id }))?;
            for wrong in ["", "s3cret valu", "S3cret value", "correct horse "] {
                let args = json!({ "client_id": id, "password": wrong });
                refused(&supervisor, "clients.check", &args, "Refused")?;
            }
        }
        refused(&supervisor, "clients.check", &json!({ "client_id": "nobody", "password": "x" }), "Refused")?;
        refused(&supervisor, "clients.check", &json!({ "client_id": "nobody" }), "Refused")?;
        let disabled = json!({ "client_id": "secret", "client": { "enabled": false } });
        done(&supervisor, "clients.set", &disabled)?;
        let args = json!({ "client_id": "secret", "password": "s3cret value" });
        refused(&supervisor, "clients.check", &args, "Refused")?;
        Ok(())
    }

    fn what_is_wrong_with_a_client_is_told_by_field(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        for (field, client) in [
            ("client_id", json!({})),
            ("client_id", json!({ "client_id": "a b" })),
            ("client_id", json!({ "client_id": "gr\u{fc}n" })),
            ("client_id", json!({ "client_id": "x".repeat(129) })),
            ("name", json!({ "client_id": "c", "name": "n".repeat(257) })),
            ("description", json!({ "client_id": "c", "description": "d".repeat(513) })),
            ("scope", json!({ "client_id": "c", "scopes": ["a\nb"] })),
            ("redirect_uri", json!({ "client_id": "c", "properties": { "redirect_uri": { "a": 1 } } })),
            ("password", json!({ "client_id": "c", "password": "p\0" })),
        ] {
            let args = json!({ "client": client });
            let (errors, _) = refused(&supervisor, "clients.add", &args, "Invalid")?;
            names(&errors, field)?;
            ensure!(done(&supervisor, "clients.validate", &args)? == json!(errors));
        }
        ensure!(done(&supervisor, "clients.list", &json!({}))? == json!([]));
        Ok(())
    }

    fn what_a_user_could_grant_a_client_is_told(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        done(&supervisor, "clients.add", &json!({ "client": { "client_id": "shop", "name": "Shop" } }))?;
        let args = json!({
            "client_id": "shop", "username": "admin", "scopes": ["g_profile", "no_such_scope", "g_admin"],
        });
        let granted = done(&supervisor, "clients.granted_scopes", &args)?;
        ensure!(granted["client_name"] == "Shop", "{granted}");
        let mut names = listed(&granted["scopes"], "name");
        names.sort();
        ensure!(names == ["g_admin", "g_profile"], "{granted}");
        ensure!(granted["scopes"][0]["granted"] == false, "{granted}");
        let of = |client: &str, user: &str, scopes: Value| {
            json!({ "client_id": client, "username": user, "scopes": scopes })
        };
        let name = "clients.granted_scopes";
        refused(&supervisor, name, &of("nobody", "admin", json!(["g_admin"])), "NotFound")?;
        refused(&supervisor, name, &of("shop", "nobody", json!(["g_admin"])), "NotFound")?;
        refused(&supervisor, name, &of("shop", "admin", json!([])), "Invalid")?;
        let many = vec!["x"; 101];
        refused(&supervisor, name, &of("shop", "admin", json!(many)), "Invalid")?;
        let disabled = json!({ "client_id": "shop", "client": { "enabled": false } });
        done(&supervisor, "clients.set", &disabled)?;
        refused(&supervisor, name, &of("shop", "admin", json!(["g_admin"])), "Invalid")?;
        Ok(())
    }
}
