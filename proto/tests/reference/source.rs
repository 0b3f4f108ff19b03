//! What a proto says, with its comments.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// Numbers of fields in `descriptor.proto`, of which paths to comments are made.
mod number {
    pub(super) const MESSAGE: i32 = 4;
    pub(super) const ENUM: i32 = 5;
    pub(super) const SERVICE: i32 = 6;
    pub(super) const SYNTAX: i32 = 12;
    /// Of a message's fields, a service's methods and an enum's values.
    pub(super) const MEMBER: i32 = 2;
}

/// One file.
pub(crate) struct Source {
    /// Without its directory.
    pub file: String,
    pub comment: String,
    pub services: Vec<Service>,
    pub messages: Vec<Message>,
    pub enums: Vec<Enum>,
}

pub(crate) struct Service {
    pub name: String,
    pub comment: String,
    pub methods: Vec<Method>,
}

pub(crate) struct Method {
    pub name: String,
    pub comment: String,
    pub takes: String,
    pub gives: String,
}

pub(crate) struct Message {
    pub name: String,
    pub comment: String,
    pub fields: Vec<Field>,
}

pub(crate) struct Field {
    pub name: String,
    pub kind: String,
    pub comment: String,
}

pub(crate) struct Enum {
    pub name: String,
    pub comment: String,
    /// Name and comment.
    pub values: Vec<(String, String)>,
}

/// The comments of a file, by path.
struct Comments(HashMap<Vec<i32>, String>);

impl Source {
    pub(crate) fn read(file: &FileDescriptorProto) -> Self {
        let comments = Comments::of(file);
        let messages = file.message_type.iter().zip(0..);
        let enums = file.enum_type.iter().zip(0..);
        Self {
            file: file.name().rsplit('/').next().unwrap_or_default().to_owned(),
            comment: comments.at(&[number::SYNTAX]),
            services: services(file, &comments),
            messages: messages.map(|(it, at)| message(it, at, &comments)).collect(),
            enums: enums.map(|(it, at)| choice(it, at, &comments)).collect(),
        }
    }
}

impl Comments {
    fn of(file: &FileDescriptorProto) -> Self {
        let info = file.source_code_info.as_ref().unwrap();
        let all = info.location.iter().filter(|at| at.leading_comments.is_some());
        Self(all.map(|at| (at.path.clone(), paragraphs(at.leading_comments()))).collect())
    }

    fn at(&self, path: &[i32]) -> String {
        self.0.get(path).cloned().unwrap_or_default()
    }
}

/// One line for each paragraph.
fn paragraphs(comment: &str) -> String {
    let joined = |paragraph: &str| {
        paragraph
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lines: Vec<_> = comment.lines().map(str::trim).collect();
    lines.join("\n").split("\n\n").map(joined).collect::<Vec<_>>().join("\n\n")
}

fn services(file: &FileDescriptorProto, comments: &Comments) -> Vec<Service> {
    let services = file.service.iter().zip(0..);
    let service = |(it, at): (&prost_types::ServiceDescriptorProto, i32)| Service {
        name: it.name().to_owned(),
        comment: comments.at(&[number::SERVICE, at]),
        methods: it
            .method
            .iter()
            .zip(0..)
            .map(|(method, place)| Method {
                name: method.name().to_owned(),
                comment: comments.at(&[number::SERVICE, at, number::MEMBER, place]),
                takes: short(method.input_type()),
                gives: short(method.output_type()),
            })
            .collect(),
    };
    services.map(service).collect()
}

fn message(message: &DescriptorProto, at: i32, comments: &Comments) -> Message {
    let fields = message.field.iter().zip(0..);
    let field = |(field, place): (&FieldDescriptorProto, i32)| Field {
        name: field.name().to_owned(),
        kind: kind(field, message),
        comment: comments.at(&[number::MESSAGE, at, number::MEMBER, place]),
    };
    Message {
        name: message.name().to_owned(),
        comment: comments.at(&[number::MESSAGE, at]),
        fields: fields.map(field).collect(),
    }
}

fn choice(choice: &EnumDescriptorProto, at: i32, comments: &Comments) -> Enum {
    let values = choice.value.iter().zip(0..);
    let value = |(it, place): (&prost_types::EnumValueDescriptorProto, i32)| {
        (it.name().to_owned(), comments.at(&[number::ENUM, at, number::MEMBER, place]))
    };
    Enum {
        name: choice.name().to_owned(),
        comment: comments.at(&[number::ENUM, at]),
        values: values.map(value).collect(),
    }
}

/// As it is written in a proto.
fn kind(field: &FieldDescriptorProto, message: &DescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => short(field.type_name()),
        plain => plain.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    let entry = message.nested_type.iter().find(|it| it.name() == kind && is_map(it));
    match (entry, field.label()) {
        (Some(entry), _) => {
            let [key, value] = [&entry.field[0], &entry.field[1]].map(|it| self::kind(it, entry));
            format!("map<{key}, {value}>")
        }
        (None, Label::Repeated) => format!("repeated {kind}"),
        (None, _) if field.proto3_optional() => format!("optional {kind}"),
        (None, _) => kind,
    }
}

fn is_map(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

/// Ours without a package.
fn short(name: &str) -> String {
    let name = name.trim_start_matches('.');
    let name = name.strip_prefix("outboard.host.v1.").unwrap_or(name);
    // Entries of maps are nested in their message.
    name.rsplit_once('.')
        .filter(|(_, last)| last.ends_with("Entry"))
        .map_or(name, |(_, last)| last)
        .to_owned()
}
