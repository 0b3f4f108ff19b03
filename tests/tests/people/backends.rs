//! Plugins that keep users and clients: asked by rank, written if they may be, and believed in nothing odd.

use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{
    GRANTED, MOCK, Said, call, configure, done, eventually, listed, names, prepare, refused,
};

/// An instance of the mock that keeps users.
fn keeper(name: &str, more: &str, keep: &str) -> String {
    format!(
        "[[instance]]\nname = {name:?}\nplugin = \"mock\"\nkind = \"user\"\n{more}[instance.parameters.keep]\n{keep}"
    )
}

const STAFF: &str = "users = [{ id = \"Zoe\", email = \"zoe@example.org\", scopes = [\"g_profile\"], password = \"of the staff\", \
                     properties = { phone = \"1\" } }, { id = \"yan\", enabled = false, password = \"of the staff\" }]\n";

on_both_databases! {
    fn users_of_a_plugin_are_users_like_others(stage) {
        prepare(&stage, &format!("{MOCK}{}", keeper("staff", "rank = 10\n", STAFF)))?;
        let supervisor = stage.serve()?;
        let zoe = done(&supervisor, "users.get", &json!({ "username": "zoe" }))?;
        ensure!(zoe["source"] == "staff" && zoe["properties"] == json!({ "phone": "1" }), "{zoe}");
        ensure!(zoe["id"].as_str().is_some_and(|id| id.len() == 36), "{zoe}");
        let again = done(&supervisor, "users.get", &json!({ "username": "Zoe" }))?;
        ensure!(again == zoe, "an id stays: {again}");
        let check = |name: &str, password: &str| json!({ "username": name, "password": password });
        done(&supervisor, "users.check", &check("Zoe", "of the staff"))?;
        refused(&supervisor, "users.check", &check("zoe", "wrong password"), "Refused")?;
        refused(&supervisor, "users.check", &check("yan", "of the staff"), "Refused")?;
        supervisor.client().sign_in("zoe", "of the staff")?;

        // The database comes first, and each source by name.
        let list = done(&supervisor, "users.list", &json!({}))?;
        ensure!(listed(&list, "username") == ["admin", "yan", "Zoe"] || listed(&list, "username") == ["admin", "Zoe", "yan"], "{list}");
        let list = done(&supervisor, "users.list", &json!({ "offset": 1, "limit": 1 }))?;
        ensure!(listed(&list, "username").len() == 1 && list[0]["source"] == "staff", "{list}");

        // What is new goes to the first source that can be written; a name is taken wherever it is.
        let added = done(&supervisor, "users.add", &json!({ "user": { "username": "ada" } }))?;
        ensure!(added["source"] == "database", "{added}");
        refused(&supervisor, "users.add", &json!({ "user": { "username": "ZOE" } }), "Conflict")?;

        let change = json!({ "email": "", "properties": { "phone": null, "city": "Paris" }, "enabled": false });
        let changed = done(&supervisor, "users.set", &json!({ "username": "zoe", "user": change }))?;
        ensure!(changed["email"] == Value::Null && changed["enabled"] == false, "{changed}");
        ensure!(changed["properties"] == json!({ "city": "Paris" }) && changed["id"] == zoe["id"], "{changed}");
        let enabled = json!({ "username": "zoe", "user": { "enabled": true } });
        done(&supervisor, "users.set", &enabled)?;
        done(&supervisor, "users.set_password", &check("zoe", "another password"))?;
        done(&supervisor, "users.check", &check("zoe", "another password"))?;
        let refuse = json!({ "username": "zoe", "user": { "properties": { "refuse": "x" } } });
        names(&refused(&supervisor, "users.set", &refuse, "Invalid")?.0, "refuse")?;

        done(&supervisor, "users.delete", &json!({ "username": "zoe" }))?;
        ensure!(done(&supervisor, "users.get", &json!({ "username": "zoe" }))? == Value::Null);
        Ok(())
    }

    fn the_database_goes_first_and_then_the_lowest_rank(stage) {
        let both = "users = [{ id = \"admin\", password = \"of the staff\" }, { id = \"zoe\" }]\n";
        let config =
            format!("{MOCK}{}{}", keeper("a-last", "rank = 2\n", both), keeper("z-first", "", both));
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        let admin = done(&supervisor, "users.get", &json!({ "username": "admin" }))?;
        ensure!(admin["source"] == "database", "{admin}");
        let check = json!({ "username": "admin", "password": "of the staff" });
        refused(&supervisor, "users.check", &check, "Refused")?;
        let zoe = done(&supervisor, "users.get", &json!({ "username": "zoe" }))?;
        ensure!(zoe["source"] == "z-first", "{zoe}");
        let list = done(&supervisor, "users.list", &json!({ "limit": 2, "offset": 2 }))?;
        ensure!(listed(&list, "source") == ["z-first", "a-last"], "{list}");
        Ok(())
    }

    fn what_is_read_only_is_not_written(stage) {
        let config = format!(
            "{MOCK}{}{}",
            keeper("staff", "rank = 1\nreadonly = true\n", STAFF),
            keeper("fixed", "rank = 2\n", "read_only = true\nusers = [{ id = \"xul\", password = \"of the staff\" }]\n"),
        );
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        let args = |name: &str| json!({ "username": name, "user": { "name": "x" }, "password": "another password" });
        for name in ["users.set", "users.set_password", "users.delete", "users.validate"] {
            refused(&supervisor, name, &args("zoe"), "ReadOnly")?;
        }
        for name in ["users.set", "users.set_password", "users.delete"] {
            refused(&supervisor, name, &args("xul"), "ReadOnly")?;
        }
        done(&supervisor, "users.check", &json!({ "username": "xul", "password": "of the staff" }))?;
        ensure!(done(&supervisor, "users.get", &json!({ "username": "xul" }))? != Value::Null);
        Ok(())
    }

    fn a_plugin_that_hangs_or_fails_is_no_answer_and_holds_nobody_up(stage) {
        let config = format!(
            "[login]\nbackend_timeout = \"1s\"\n{MOCK}{}",
            keeper("hung", "rank = 10\n", "trouble = { hang = true }\n"),
        );
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        let began = Instant::now();
        refused(&supervisor, "users.get", &json!({ "username": "zoe" }), "Unreachable")?;
        ensure!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // Whoever the database has needs nobody else.
        ensure!(done(&supervisor, "users.get", &json!({ "username": "admin" }))?["source"] == "database");
        let admin = supervisor.admin();
        ensure!(admin.is_ok(), "{:?}", admin.err());
        // A name that may be taken there is not given away.
        refused(&supervisor, "users.add", &json!({ "user": { "username": "ada" } }), "Unreachable")?;
        Ok(())
    }

    fn a_plugin_that_is_gone_is_no_answer_until_it_is_back(stage) {
        let config = format!("{MOCK}{}", keeper("staff", "rank = 10\nisolate = true\n", STAFF));
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        done(&supervisor, "users.get", &json!({ "username": "zoe" }))?;
        let trouble = config.replace("[instance.parameters.keep]", "enabled = false\n[instance.parameters.keep]");
        configure(&stage, GRANTED, &trouble)?;
        supervisor.reload()?;
        eventually("gone", || Ok(done(&supervisor, "users.get", &json!({ "username": "zoe" }))? == Value::Null))?;
        configure(&stage, GRANTED, &config)?;
        supervisor.reload()?;
        eventually("back", || Ok(call(&supervisor, "users.get", &json!({ "username": "zoe" }))
            .is_ok_and(|said| matches!(said, Said::Yes(user) if user["source"] == "staff"))))?;
        Ok(())
    }

    fn lies_are_not_believed(stage) {
        let zoe = "users = [{ id = \"zoe\", password = \"of the staff\" }]\n";
        let mut config = MOCK.to_owned();
        let lies = ["other", "long", "empty", "properties"];
        for (rank, lie) in lies.iter().enumerate() {
            let keep = format!("{zoe}lie = {lie:?}\n");
            config.push_str(&keeper(lie, &format!("rank = {}\nenabled = false\n", rank + 1), &keep));
        }
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        for lie in lies {
            let name = format!("name = {lie:?}\nplugin = \"mock\"\nkind = \"user\"\n");
            let at = config.find(&name).unwrap_or_default();
            let (before, after) = config.split_at(at);
            let one = format!("{before}{}", after.replacen("enabled = false\n", "enabled = true\n", 1));
            configure(&stage, GRANTED, &one)?;
            supervisor.reload()?;
            eventually(lie, || Ok(supervisor.plugin("mock")?.activation(lie).is_some()))?;
            refused(&supervisor, "users.get", &json!({ "username": "zoe" }), "Unreachable")?;
            let check = json!({ "username": "mallory", "password": "of the staff" });
            let said = call(&supervisor, "users.check", &check)?;
            ensure!(matches!(said, Said::No { .. }), "{lie}: {said:?}");
            let list = done(&supervisor, "users.list", &json!({ "pattern": "zoe" }))?;
            ensure!(listed(&list, "username").iter().all(|name| name.len() < 129 && !name.is_empty()), "{list}");
        }
        Ok(())
    }

    fn clients_of_a_plugin_are_clients_like_others(stage) {
        let apps = "[[instance]]\nname = \"apps\"\nplugin = \"mock\"\nkind = \"client\"\nrank = 10\n[instance.parameters.keep]\n\
                    clients = [{ id = \"till\", name = \"Till\", confidential = true, password = \"of the till\" }]\n";
        prepare(&stage, &format!("{MOCK}{apps}"))?;
        let supervisor = stage.serve()?;
        let till = done(&supervisor, "clients.get", &json!({ "client_id": "till" }))?;
        ensure!(till["source"] == "apps" && till["confidential"] == true, "{till}");
        done(&supervisor, "clients.check", &json!({ "client_id": "till", "password": "of the till" }))?;
        refused(&supervisor, "clients.check", &json!({ "client_id": "till", "password": "wrong" }), "Refused")?;
        refused(&supervisor, "clients.add", &json!({ "client": { "client_id": "till" } }), "Conflict")?;
        let added = done(&supervisor, "clients.add", &json!({ "client": { "client_id": "blog" } }))?;
        ensure!(added["source"] == "database", "{added}");
        // In its own source, and nowhere else.
        let change = json!({ "client_id": "till", "client": { "name": "Checkout" } });
        let changed = done(&supervisor, "clients.set", &change)?;
        ensure!(changed["name"] == "Checkout" && changed["source"] == "apps", "{changed}");
        let list = done(&supervisor, "clients.list", &json!({}))?;
        ensure!(listed(&list, "client_id") == ["blog", "till"], "{list}");
        done(&supervisor, "clients.delete", &json!({ "client_id": "till" }))?;
        ensure!(done(&supervisor, "clients.get", &json!({ "client_id": "till" }))? == Value::Null);
        Ok(())
    }
}
