//! The protos of now against those of the last release: nothing that was released may break.
#![expect(clippy::unwrap_used, reason = "clippy takes helpers of tests for production code")]

mod compare;

use std::path::Path;
use std::{fs, io};

use compare::breaks;
use outboard_proto::DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

const HTTP: &str = "outboard/plugin/v1/http.proto";
const LIFECYCLE: &str = "outboard/plugin/v1/lifecycle.proto";
const FRAME: &str = "outboard/plugin/v1/frame.proto";

fn current() -> FileDescriptorSet {
    FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap()
}

fn file<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut FileDescriptorProto {
    set.file.iter_mut().find(|file| file.name() == name).unwrap()
}

fn message<'a>(file: &'a mut FileDescriptorProto, name: &str) -> &'a mut DescriptorProto {
    file.message_type.iter_mut().find(|message| message.name() == name).unwrap()
}

fn field<'a>(message: &'a mut DescriptorProto, name: &str) -> &'a mut FieldDescriptorProto {
    message.field.iter_mut().find(|field| field.name() == name).unwrap()
}

fn enumeration<'a>(file: &'a mut FileDescriptorProto, name: &str) -> &'a mut EnumDescriptorProto {
    file.enum_type.iter_mut().find(|one| one.name() == name).unwrap()
}

fn service<'a>(file: &'a mut FileDescriptorProto, name: &str) -> &'a mut ServiceDescriptorProto {
    file.service.iter_mut().find(|service| service.name() == name).unwrap()
}

/// Breaks a copy of one file, and expects just that to be told.
#[track_caller]
fn check(name: &str, spoil: impl FnOnce(&mut FileDescriptorProto), expected: &[&str]) {
    let mut spoiled = current();
    spoil(file(&mut spoiled, name));
    assert_eq!(breaks(&current(), &spoiled), expected);
}

/// `released.binpb` is written by a release and by nothing else; before the first there is none.
#[test]
fn nothing_that_was_released_is_broken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("released.binpb");
    let released = match fs::read(path) {
        Ok(bytes) => FileDescriptorSet::decode(bytes.as_slice()).unwrap(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => panic!("released.binpb can't be read: {error}"),
    };
    let breaks = breaks(&released, &current());
    assert!(breaks.is_empty(), "add beside what is there instead:\n{}", breaks.join("\n"));
}

#[test]
fn what_did_not_change_breaks_nothing() {
    assert_eq!(breaks(&current(), &current()), [""; 0]);
}

#[test]
fn additions_break_nothing() {
    let mut old = current();
    let http = file(&mut old, HTTP);
    message(http, "HandleRequest").field.pop();
    service(http, "Http").method.pop();
    let lifecycle = file(&mut old, LIFECYCLE);
    enumeration(lifecycle, "InitReason").value.pop();
    lifecycle.message_type.pop();
    assert_eq!(breaks(&old, &current()), [""; 0]);
}

#[test]
fn a_removed_field_is_told() {
    check(
        HTTP,
        |file| message(file, "HandleRequest").field.retain(|field| field.name() != "body"),
        &["field outboard.plugin.v1.HandleRequest.body was removed"],
    );
}

#[test]
fn a_renumbered_field_is_told() {
    check(
        HTTP,
        |file| field(message(file, "HandleRequest"), "body").number = Some(40),
        &["field outboard.plugin.v1.HandleRequest.body was renumbered from 4 to 40"],
    );
}

#[test]
fn two_fields_that_swapped_numbers_are_told() {
    check(
        HTTP,
        |file| {
            let message = message(file, "HandleRequest");
            field(message, "body").number = Some(5);
            field(message, "context").number = Some(4);
        },
        &[
            "field outboard.plugin.v1.HandleRequest.body was renumbered from 4 to 5",
            "field outboard.plugin.v1.HandleRequest.context was renumbered from 5 to 4",
        ],
    );
}

#[test]
fn a_number_that_means_something_else_is_told() {
    check(
        HTTP,
        |file| field(message(file, "HandleRequest"), "body").name = Some("content".to_owned()),
        &["field outboard.plugin.v1.HandleRequest.body was removed and its number 4 now means \
           content"],
    );
}

#[test]
fn a_retyped_field_is_told() {
    check(
        HTTP,
        |file| field(message(file, "HandleRequest"), "body").set_type(Type::String),
        &["field outboard.plugin.v1.HandleRequest.body changed its type from bytes to string"],
    );
    check(
        HTTP,
        |file| {
            let field = field(message(file, "HandleRequest"), "request");
            field.type_name = Some(".outboard.plugin.v1.Response".to_owned());
        },
        &["field outboard.plugin.v1.HandleRequest.request changed its type from \
           outboard.plugin.v1.Request to outboard.plugin.v1.Response"],
    );
}

#[test]
fn a_changed_cardinality_is_told() {
    check(
        HTTP,
        |file| field(message(file, "HandleRequest"), "body").set_label(Label::Repeated),
        &["field outboard.plugin.v1.HandleRequest.body changed its cardinality from singular to \
           repeated"],
    );
    check(
        "outboard/plugin/v1/message.proto",
        |file| {
            let field = field(message(file, "Request"), "query");
            (field.proto3_optional, field.oneof_index) = (None, None);
        },
        &["field outboard.plugin.v1.Request.query changed its cardinality from optional to \
           singular"],
    );
}

#[test]
fn a_field_that_left_its_oneof_is_told() {
    check(
        FRAME,
        |file| field(message(file, "Frame"), "data").oneof_index = None,
        &["field outboard.plugin.v1.Frame.data changed its oneof from kind to none"],
    );
}

#[test]
fn a_removed_message_is_told_nested_ones_too() {
    check(
        HTTP,
        |file| file.message_type.retain(|message| message.name() != "HandleResponse"),
        &["message outboard.plugin.v1.HandleResponse was removed"],
    );
    check(
        "goplugin/broker.proto",
        |file| message(file, "ConnInfo").nested_type.clear(),
        &["message plugin.ConnInfo.Knock was removed"],
    );
}

#[test]
fn removed_and_renumbered_enum_values_are_told() {
    check(
        LIFECYCLE,
        |file| {
            let reason = enumeration(file, "CloseReason");
            reason.value.pop();
            reason.value[1].number = Some(9);
        },
        &[
            "enum value outboard.plugin.v1.CloseReason.CLOSE_REASON_REPLACED was renumbered from 1 \
             to 9",
            "enum value outboard.plugin.v1.CloseReason.CLOSE_REASON_SHUTDOWN was removed",
        ],
    );
    check(
        "goplugin/stdio.proto",
        |file| message(file, "StdioData").enum_type.clear(),
        &["enum plugin.StdioData.Channel was removed"],
    );
}

#[test]
fn a_removed_service_or_method_is_told() {
    check(
        LIFECYCLE,
        |file| file.service.clear(),
        &["service outboard.plugin.v1.Lifecycle was removed"],
    );
    check(
        HTTP,
        |file| service(file, "Http").method.retain(|method| method.name() != "Handle"),
        &["method outboard.plugin.v1.Http.Handle was removed"],
    );
}

#[test]
fn a_changed_method_is_told() {
    check(
        HTTP,
        |file| {
            let handle = &mut service(file, "Http").method[1];
            handle.client_streaming = Some(true);
            handle.server_streaming = Some(true);
            handle.input_type = Some(".outboard.plugin.v1.Frames".to_owned());
        },
        &[
            "method outboard.plugin.v1.Http.Handle changed its request type from \
             outboard.plugin.v1.HandleRequest to outboard.plugin.v1.Frames",
            "method outboard.plugin.v1.Http.Handle changed its request streaming from false to true",
            "method outboard.plugin.v1.Http.Handle changed its response streaming from false to \
             true",
        ],
    );
}

#[test]
fn a_changed_package_is_told_once() {
    check(
        "outboard/admin/v1/plugins.proto",
        |file| file.package = Some("outboard.admin.v2".to_owned()),
        &["outboard/admin/v1/plugins.proto changed its package from outboard.admin.v1 to \
           outboard.admin.v2"],
    );
}

#[test]
fn a_message_that_moved_to_another_file_of_its_package_breaks_nothing() {
    let mut moved = current();
    let message = file(&mut moved, HTTP).message_type.pop().unwrap();
    file(&mut moved, LIFECYCLE).message_type.push(message);
    assert_eq!(breaks(&current(), &moved), [""; 0]);
}
