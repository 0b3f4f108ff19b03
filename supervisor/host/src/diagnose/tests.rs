use super::*;

fn file(head: &[u8], mode: u32) -> Program {
    Program {
        path: "/p/slack".into(),
        kind: Kind::File,
        mode,
        head: head.to_vec(),
        interpreter: None,
    }
}

fn kind(kind: Kind) -> Program {
    Program { kind, ..file(b"", 0o755) }
}

/// The message holds `words`, and the verdict on trying again is `is_permanent`.
fn check(errno: Errno, program: Program, words: &[&str], is_permanent: bool) {
    let cause = exec(errno as i32, program);
    let text = cause.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert_eq!(cause.is_permanent(), is_permanent, "{text}");
}

#[test]
fn a_missing_file_is_named() {
    check(Errno::ENOENT, kind(Kind::Missing), &["no file \"/p/slack\"", "install"], true);
}

#[test]
fn a_directory_instead_of_a_file_is_called_one() {
    check(Errno::EACCES, kind(Kind::Directory), &["is a directory", "name the program"], true);
    check(Errno::EACCES, kind(Kind::Other), &["not a regular file"], true);
}

#[test]
fn without_an_execute_bit_the_advice_is_chmod() {
    check(Errno::EACCES, file(b"#!/bin/sh\n", 0o644), &["mode 0644", "chmod +x"], true);
}

#[test]
fn with_an_execute_bit_the_advice_is_user_and_mount() {
    check(Errno::EACCES, file(b"\x7fELF", 0o700), &["user", "noexec"], true);
}

#[test]
fn a_text_file_without_shebang_gets_the_line_to_add() {
    check(Errno::ENOEXEC, file(b"print('hi')\n", 0o755), &["#!", "python3"], true);
}

#[test]
fn a_wrong_architecture_names_both() {
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(64, 0);
    head[18] = 22;
    check(Errno::ENOEXEC, file(&head, 0o755), &["s390x", &binary::machine(binary::OURS)], true);
    check(Errno::ENOEXEC, file(b"MZ\x90", 0o755), &["Windows"], true);
}

#[test]
fn an_interpreter_that_is_not_there_is_named() {
    let script = file(b"#!/opt/py\nx", 0o755);
    check(Errno::ENOENT, script, &["\"/opt/py\"", "install it"], true);
    check(Errno::ENOENT, file(b"#!/bin/sh\r\nx", 0o755), &["/bin/sh\\r", "CRLF"], true);
}

#[test]
fn a_script_that_may_not_run_is_told_by_its_own_mode_then_by_its_interpreters() {
    let script = |mode, interpreter| Program { interpreter, ..file(b"#!/opt/py\nx", mode) };
    let may_not = |program, words: &[&str]| check(Errno::EACCES, program, words, true);
    may_not(script(0o644, Some(0o755)), &["\"/p/slack\" is not executable (mode 0644)"]);
    may_not(script(0o755, None), &["\"/opt/py\"", "install it"]);
    may_not(script(0o755, Some(0o644)), &["\"/opt/py\" is not executable (mode 0644)", "chmod"]);
    may_not(script(0o700, Some(0o755)), &["mode 0700", "\"/opt/py\"", "user", "noexec"]);
}

#[test]
fn damaged_and_empty_files_are_no_programs() {
    check(Errno::ENOEXEC, file(b"", 0o755), &["empty"], true);
    check(Errno::ENOEXEC, file(&[1, 2, 3], 0o755), &["format is unknown"], true);
}

#[test]
fn passing_errors_may_be_tried_again() {
    check(Errno::ETXTBSY, file(b"", 0o755), &["writing"], false);
    check(Errno::ENOMEM, file(b"", 0o755), &["memory"], false);
    check(Errno::EIO, file(b"", 0o755), &["file system"], false);
}

fn ended(exit: Exit, stderr: &[&str]) -> (String, bool) {
    let stderr = StderrTail(stderr.iter().map(|&line| line.to_owned()).collect());
    let cause = exited(exit, stderr);
    (cause.to_string(), cause.is_permanent())
}

#[test]
fn h22_an_early_exit_names_code_and_stderr() {
    let (text, is_permanent) = ended(Exit::Code(3), &["no config", "giving up"]);
    assert!(
        text.contains("exited with code 3") && text.contains("no config | giving up"),
        "{text}"
    );
    assert!(!is_permanent);
    let (text, _) = ended(Exit::Signal { signal: 11, core: true }, &[]);
    assert!(text.contains("killed by SIGSEGV, core dumped"), "{text}");
}

#[test]
fn an_end_without_error_points_to_the_socket_directory() {
    assert!(ended(Exit::Code(0), &[]).0.contains("socket directory"));
}

#[test]
fn a_refused_cookie_is_permanent_and_says_where_to_put_it() {
    let go = "This binary is a plugin. These are not meant to be executed directly.";
    let (text, is_permanent) = ended(Exit::Code(1), &[go]);
    assert!(text.contains("[go_plugin]") && is_permanent, "{text}");
    assert!(!ended(Exit::Code(2), &[go]).0.contains("cookie"));
}

#[test]
fn a_missing_library_is_permanent() {
    let line = "x: error while loading shared libraries: libfoo.so.1: cannot open";
    let (text, is_permanent) = ended(Exit::Code(127), &[line]);
    assert!(text.contains("install the library") && is_permanent, "{text}");
}

#[test]
fn what_a_plugin_printed_is_quoted_and_cut() {
    assert_eq!(quote(b"a\x1b[1m"), "\"a\\u{1b}[1m\"");
    assert!(quote(&[b'a'; 500]).len() < 130);
}
