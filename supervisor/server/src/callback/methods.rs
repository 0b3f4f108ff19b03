//! Every call that the host answers, by number: so that counting one needs neither a name nor a lock, and a
//! plugin can't make up series.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use outboard_proto::DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

/// The package of all services that plugins call.
const PACKAGE: &str = "outboard.host.v1";

/// One call of a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method {
    pub service: String,
    pub name: String,
    /// Which service it is, from 0.
    pub service_number: usize,
    /// It changes something about people, or about who may do what.
    pub is_write: bool,
    /// Its answer begins with how it ended: a `ResultCode`.
    pub has_result: bool,
}

static METHODS: LazyLock<Vec<Method>> = LazyLock::new(all);

static BY_PATH: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let paths = METHODS.iter().enumerate();
    paths.map(|(at, it)| (format!("/{PACKAGE}.{}/{}", it.service, it.name), at)).collect()
});

/// All of them.
pub(super) fn methods() -> &'static [Method] {
    &METHODS
}

/// How many services they are of.
pub(super) fn services() -> usize {
    METHODS.iter().map(|method| method.service_number + 1).max().unwrap_or(0)
}

/// The number of the one that is asked for by this path.
pub(super) fn number(path: &str) -> Option<usize> {
    BY_PATH.get(path).copied()
}

fn all() -> Vec<Method> {
    // It is compiled in, and a test reads it.
    let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
    let files: Vec<_> = set.file.into_iter().filter(|file| file.package() == PACKAGE).collect();
    let with_result = with_result(&files);
    let services = files.into_iter().flat_map(|file| file.service);
    let methods = services.enumerate().flat_map(|(service_number, service)| {
        let (name, with_result) = (service.name().to_owned(), with_result.clone());
        service.method.into_iter().map(move |method| Method {
            is_write: is_write(&name, method.name()),
            has_result: with_result.contains(method.output_type()),
            service: name.clone(),
            name: method.name().to_owned(),
            service_number,
        })
    });
    methods.collect()
}

/// The messages whose first field is a result.
fn with_result(files: &[FileDescriptorProto]) -> HashSet<String> {
    let result = format!(".{PACKAGE}.ResultCode");
    let messages = files.iter().flat_map(|file| &file.message_type);
    let begun = messages.filter(|message| {
        message.field.iter().any(|field| field.number() == 1 && field.type_name() == result)
    });
    begun.map(|message| format!(".{PACKAGE}.{}", message.name())).collect()
}

fn is_write(service: &str, method: &str) -> bool {
    match service {
        "Users" => matches!(method, "Add" | "Set" | "SetPassword" | "Delete"),
        "Clients" => matches!(method, "Add" | "Set" | "Delete"),
        "Schemes" => matches!(method, "Register" | "Deregister"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_host_is_known() {
        for path in ["/outboard.host.v1.Host/Info", "/outboard.host.v1.Users/Delete"] {
            assert!(number(path).is_some(), "{path}");
        }
        assert_eq!(number("/outboard.host.v1.Host/Inform"), None);
        assert_eq!(number("/outboard.plugin.v1.Lifecycle/Init"), None);
        assert!(services() > 5 && methods().len() > 30);
    }

    #[test]
    fn answers_with_a_result_are_known() {
        let found =
            |path: &str| methods()[number(&format!("/{PACKAGE}.{path}")).unwrap()].has_result;
        for path in ["Users/Get", "Sessions/Check", "Locks/Acquire", "Storage/Transact"] {
            assert!(found(path), "{path}");
        }
        for path in ["Users/List", "Host/Info", "Log/Write"] {
            assert!(!found(path), "{path}");
        }
    }

    #[test]
    fn what_changes_people_is_known_by_its_name() {
        let found = |service: &str, name: &str| {
            methods().iter().find(|it| it.service == service && it.name == name).unwrap().is_write
        };
        for (service, name) in
            [("Users", "Add"), ("Users", "Set"), ("Users", "SetPassword"), ("Users", "Delete")]
        {
            assert!(found(service, name), "{service}/{name}");
        }
        for (service, name) in [("Clients", "Add"), ("Clients", "Set"), ("Clients", "Delete")] {
            assert!(found(service, name), "{service}/{name}");
        }
        for (service, name) in [("Schemes", "Register"), ("Schemes", "Deregister")] {
            assert!(found(service, name), "{service}/{name}");
        }
        assert!(!found("Users", "Get") && !found("Log", "Write"));
    }
}
