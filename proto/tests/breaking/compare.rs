//! What a new set of descriptors breaks for those who were built against an old one.
//!
//! Additions break nobody. A name counts as much as a number: plugin authors write it down.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};

/// A sentence for each break, none if there is none.
pub(crate) fn breaks(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<String> {
    let mut found = Vec::new();
    let moved = moved_files(old, new, &mut found);
    let unmoved = old.file.iter().filter(|file| !moved.contains(&file.name()));
    let (old, new) = (Names::of(unmoved), Names::of(&new.file));
    pairs("message", &old.messages, &new.messages, &mut found, messages);
    pairs("enum", &old.enums, &new.enums, &mut found, enums);
    pairs("service", &old.services, &new.services, &mut found, services);
    found
}

/// Something that must stay as it is: what it is called, and how it reads.
type Aspect<T> = (&'static str, fn(T) -> String);

/// Everything by its full name, so that it doesn't matter which file it is in.
#[derive(Default)]
struct Names<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
    services: BTreeMap<String, &'a ServiceDescriptorProto>,
}

impl<'a> Names<'a> {
    fn of(files: impl IntoIterator<Item = &'a FileDescriptorProto>) -> Self {
        let mut names = Self::default();
        for file in files {
            names.enums(file.package(), &file.enum_type);
            names.messages(file.package(), &file.message_type);
            for service in &file.service {
                names.services.insert(join(file.package(), service.name()), service);
            }
        }
        names
    }

    fn messages(&mut self, scope: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = join(scope, message.name());
            self.enums(&name, &message.enum_type);
            self.messages(&name, &message.nested_type);
            self.messages.insert(name, message);
        }
    }

    fn enums(&mut self, scope: &str, enums: &'a [EnumDescriptorProto]) {
        self.enums.extend(enums.iter().map(|one| (join(scope, one.name()), one)));
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// Reported once, and not for each name that is gone with the package.
fn moved_files<'a>(
    old: &'a FileDescriptorSet,
    new: &FileDescriptorSet,
    found: &mut Vec<String>,
) -> Vec<&'a str> {
    let mut moved = Vec::new();
    for old in &old.file {
        let Some(new) = new.file.iter().find(|new| new.name() == old.name()) else { continue };
        if new.package() != old.package() {
            let (file, from, to) = (old.name(), old.package(), new.package());
            found.push(format!("{file} changed its package from {from} to {to}"));
            moved.push(file);
        }
    }
    moved
}

/// Compares what both have, and reports what only the old one has.
fn pairs<T>(
    kind: &str,
    old: &BTreeMap<String, &T>,
    new: &BTreeMap<String, &T>,
    found: &mut Vec<String>,
    compare: impl Fn(&str, &T, &T, &mut Vec<String>),
) {
    for (name, old) in old {
        match new.get(name) {
            Some(new) => compare(name, old, new, found),
            None => found.push(format!("{kind} {name} was removed")),
        }
    }
}

fn messages(name: &str, old: &DescriptorProto, new: &DescriptorProto, found: &mut Vec<String>) {
    for field in &old.field {
        let full = join(name, field.name());
        let same_number = new.field.iter().find(|other| other.number() == field.number());
        let same_name = new.field.iter().find(|other| other.name() == field.name());
        match (same_number, same_name) {
            (Some(other), _) if other.name() == field.name() => {
                fields(&full, (old, field), (new, other), found);
            }
            (_, Some(other)) => found.push(format!(
                "field {full} was renumbered from {} to {}",
                field.number(),
                other.number()
            )),
            (Some(other), None) => found.push(format!(
                "field {full} was removed and its number {} now means {}",
                field.number(),
                other.name()
            )),
            (None, None) => found.push(format!("field {full} was removed")),
        }
    }
}

type Field<'a> = (&'a DescriptorProto, &'a FieldDescriptorProto);

fn fields(name: &str, old: Field<'_>, new: Field<'_>, found: &mut Vec<String>) {
    let aspects: [Aspect<Field<'_>>; 3] =
        [("type", type_of), ("cardinality", cardinality), ("oneof", oneof)];
    for (aspect, read) in aspects {
        let (was, is) = (read(old), read(new));
        if was != is {
            found.push(format!("field {name} changed its {aspect} from {was} to {is}"));
        }
    }
}

fn type_of((_, field): Field<'_>) -> String {
    match field.r#type() {
        Type::Message | Type::Enum | Type::Group => {
            field.type_name().trim_start_matches('.').to_owned()
        }
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    }
}

fn cardinality((_, field): Field<'_>) -> String {
    let label = match field.label() {
        Label::Optional if field.proto3_optional() => "optional",
        Label::Optional => "singular",
        Label::Required => "required",
        Label::Repeated => "repeated",
    };
    label.to_owned()
}

/// That of `optional` is the compiler's own and no oneof to anybody.
fn oneof((message, field): Field<'_>) -> String {
    let index = field.oneof_index.filter(|_| !field.proto3_optional());
    let oneof = index.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    oneof.map_or("none", |oneof| oneof.name()).to_owned()
}

fn enums(
    name: &str,
    old: &EnumDescriptorProto,
    new: &EnumDescriptorProto,
    found: &mut Vec<String>,
) {
    for value in &old.value {
        let (full, number) = (join(name, value.name()), value.number());
        match new.value.iter().find(|other| other.name() == value.name()) {
            None => found.push(format!("enum value {full} was removed")),
            Some(other) if other.number() != number => {
                let now = other.number();
                found.push(format!("enum value {full} was renumbered from {number} to {now}"));
            }
            Some(_) => {}
        }
    }
}

fn services(
    name: &str,
    old: &ServiceDescriptorProto,
    new: &ServiceDescriptorProto,
    found: &mut Vec<String>,
) {
    for method in &old.method {
        let full = join(name, method.name());
        match new.method.iter().find(|other| other.name() == method.name()) {
            None => found.push(format!("method {full} was removed")),
            Some(other) => methods(&full, method, other, found),
        }
    }
}

fn methods(
    name: &str,
    old: &MethodDescriptorProto,
    new: &MethodDescriptorProto,
    found: &mut Vec<String>,
) {
    let aspects: [Aspect<&MethodDescriptorProto>; 4] = [
        ("request type", |method| method.input_type().trim_start_matches('.').to_owned()),
        ("response type", |method| method.output_type().trim_start_matches('.').to_owned()),
        ("request streaming", |method| method.client_streaming().to_string()),
        ("response streaming", |method| method.server_streaming().to_string()),
    ];
    for (aspect, read) in aspects {
        let (was, is) = (read(old), read(new));
        if was != is {
            found.push(format!("method {name} changed its {aspect} from {was} to {is}"));
        }
    }
}
