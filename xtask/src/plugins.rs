//! Assembles the bundled plugins into a plugins directory, as an operator would install them.

use std::{fs, path::Path};

use anyhow::Result;

use crate::{python, tree};

/// Plugins of one program and its manifest, which serve only once somebody has configured them.
pub(crate) const TO_CONFIGURE: &[&str] =
    &["email-code", "gate", "mail", "otp", "slack", "webauthn", "webhook"];

/// Puts those plugins into `to`, as `assemble` does.
pub(crate) fn assemble_to_configure(to: &Path, built: &Path) -> Result<()> {
    TO_CONFIGURE.iter().try_for_each(|name| {
        let (source, to) = (tree::root().join("plugins").join(name), to.join(name));
        fs::create_dir_all(&to)?;
        tree::copy_file(&source.join("plugin.toml"), &to.join("plugin.toml"))?;
        tree::copy_file(&built.join(name), &to.join(name))
    })
}

/// Puts the plugins that need no configuration into `to`, their programs taken from cargo's output directory `built`.
pub(crate) fn assemble(to: &Path, built: &Path) -> Result<()> {
    mock(&to.join("mock"), built)?;
    hello_python(&to.join("hello-python"))
}

fn mock(to: &Path, built: &Path) -> Result<()> {
    let source = tree::root().join("plugins/mock");
    fs::create_dir_all(to)?;
    for manifest in ["plugin.toml", "roles.toml", "callbacks.toml"] {
        tree::copy_file(&source.join(manifest), &to.join(manifest))?;
    }
    tree::copy_file(&built.join("mock"), &to.join("mock"))
}

/// The program, the stubs and the packages lie side by side: Python looks for modules beside the script that it
/// runs, so nothing has to tell it where they are.
fn hello_python(to: &Path) -> Result<()> {
    let source = tree::root().join("plugins/hello-python");
    let stubs = tree::target().join("python/stubs");
    python::stubs(&stubs)?;
    python::compile(&stubs)?;
    tree::copy(&python::packages(&source.join("requirements.txt"))?, to)?;
    tree::copy(&stubs, to)?;
    tree::copy_file(&source.join("plugin.toml"), &to.join("plugin.toml"))?;
    tree::copy_file(&source.join("main.py"), &to.join("main.py"))
}
