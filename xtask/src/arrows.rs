//! Which crate may depend on which. A new crate, or a new arrow, is added here on purpose or not at all.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, output};

/// Each crate of the workspace with those that it may depend on. Dependencies of tests are free.
const ARROWS: &[(&str, &[&str])] = &[
    ("outboard-proto", &[]),
    ("outboard-core", &["outboard-proto"]),
    ("outboard-jail", &[]),
    ("outboard-host", &["outboard-core", "outboard-jail", "outboard-proto"]),
    ("outboard-store", &["outboard-core"]),
    (
        "outboard",
        &["outboard-core", "outboard-host", "outboard-jail", "outboard-proto", "outboard-store"],
    ),
    ("outboard-sdk", &["outboard-proto"]),
    ("outboard-plugin-email-code", &["outboard-sdk", "outboard-sending"]),
    ("outboard-plugin-gate", &["outboard-sdk"]),
    ("outboard-plugin-mock", &["outboard-sdk"]),
    ("outboard-plugin-otp", &["outboard-sdk"]),
    ("outboard-sending", &["outboard-sdk"]),
    ("outboard-plugin-slack", &["outboard-sdk", "outboard-sending"]),
    ("outboard-plugin-webauthn", &["outboard-sdk"]),
    ("outboard-plugin-webhook", &["outboard-sdk", "outboard-sending"]),
    ("outboard-plugin-mail", &["outboard-sdk", "outboard-sending"]),
    ("e2e", &["outboard-host", "outboard-jail", "outboard-proto", "outboard-sdk"]),
    (
        "bench",
        &[
            "outboard-core",
            "outboard-host",
            "outboard-jail",
            "outboard-proto",
            "outboard-sdk",
            "outboard-store",
        ],
    ),
    ("xtask", &[]),
];

pub(crate) fn faults() -> Result<Vec<String>> {
    let text = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    Ok(packages.iter().flat_map(faults_of).collect())
}

fn faults_of(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name}: a new crate needs its rule in xtask/src/arrows.rs")];
    };
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    dependencies
        .iter()
        .filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev")
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|dependency| !allowed.contains(dependency))
        .map(|dependency| format!("{name} -> {dependency}: no such arrow in xtask/src/arrows.rs"))
        .collect()
}
