//! What kind of file the first bytes of a program say it is.
//!
//! Pure, and only as deep as an error message needs: magic numbers, an ELF header's machine and the
//! name of its loader.

/// How many bytes of the file are worth reading.
pub(crate) const HEAD: usize = 4096;

/// What the kernel was asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binary {
    /// A program of this system, with the loader it names if it is dynamic.
    Native { loader: Option<String> },
    /// A program for something else, such as `aarch64` or `macOS`.
    Foreign { system: String },
    /// `#!` and the interpreter, without its arguments.
    Script { interpreter: String },
    /// Text without `#!`.
    Text,
    /// Nothing at all.
    Empty,
    /// Bytes that mean nothing here.
    Unknown,
}

/// The kind of a file that begins with `head`, seen from a machine of `ours` (an ELF machine number).
pub(crate) fn kind(head: &[u8], ours: u16) -> Binary {
    match head {
        [] => Binary::Empty,
        [0x7f, b'E', b'L', b'F', ..] => elf(head, ours),
        [b'#', b'!', rest @ ..] => script(rest),
        [b'M', b'Z', ..] => foreign("Windows"),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => foreign("macOS"),
        _ if head.iter().all(|byte| is_text(*byte)) => Binary::Text,
        _ => Binary::Unknown,
    }
}

/// The ELF machine that this code was compiled for; 0, which no program has, where it is not known.
pub(crate) const OURS: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// The name of an ELF machine, in the words of `uname -m`.
pub(crate) fn machine(number: u16) -> String {
    let name = match number {
        3 => "i386",
        8 => "mips",
        21 => "ppc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        _ => return format!("ELF machine {number}"),
    };
    name.to_owned()
}

fn foreign(system: &str) -> Binary {
    Binary::Foreign { system: system.to_owned() }
}

fn is_text(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

fn script(rest: &[u8]) -> Binary {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.trim_ascii_start();
    // A carriage return is a part of the interpreter's name to the kernel, so it is kept.
    let name = line.split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
    Binary::Script { interpreter: String::from_utf8_lossy(name).into_owned() }
}

fn elf(head: &[u8], ours: u16) -> Binary {
    let little_endian = head.get(5) != Some(&2);
    let Some(theirs) = number(head, 18, 2, little_endian) else { return Binary::Unknown };
    let Ok(theirs) = u16::try_from(theirs) else { return Binary::Unknown };
    if theirs != ours && ours != 0 {
        return Binary::Foreign { system: machine(theirs) };
    }
    Binary::Native { loader: loader(head, little_endian) }
}

/// The path in the `PT_INTERP` segment of a 64-bit file, where it lies within `head`.
fn loader(head: &[u8], little_endian: bool) -> Option<String> {
    const PT_INTERP: usize = 3;
    let at = |offset, size| number(head, offset, size, little_endian);
    let is_64_bit = head.get(4) == Some(&2);
    let (table, size, count) = (at(32, 8)?, at(54, 2)?, at(56, 2)?);
    let header = (0..count)
        .filter(|_| is_64_bit)
        .filter_map(|index| index.checked_mul(size)?.checked_add(table))
        .find(|header| at(*header, 4) == Some(PT_INTERP))?;
    let (start, length) = (at(header.checked_add(8)?, 8)?, at(header.checked_add(32)?, 8)?);
    let path = head.get(start..start.checked_add(length)?)?.strip_suffix(b"\0")?;
    Some(String::from_utf8_lossy(path).into_owned())
}

fn number(bytes: &[u8], offset: usize, size: usize, little_endian: bool) -> Option<usize> {
    let field = bytes.get(offset..offset.checked_add(size)?)?;
    let push = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
    Some(if little_endian { field.iter().rev().fold(0, push) } else { field.iter().fold(0, push) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf_of(machine: u8) -> Vec<u8> {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(64, 0);
        head[18] = machine;
        head
    }

    #[test]
    fn a_program_of_another_machine_is_told_by_its_elf_header() {
        assert_eq!(kind(&elf_of(183), 62), foreign("aarch64"));
        assert_eq!(kind(&elf_of(62), 62), Binary::Native { loader: None });
        assert_eq!(kind(&elf_of(99), 62), foreign("ELF machine 99"));
        assert_eq!(kind(b"\x7fELF", 62), Binary::Unknown);
    }

    #[test]
    fn big_endian_headers_are_read_their_way() {
        let mut head = elf_of(0);
        (head[5], head[18], head[19]) = (2, 0, 22);
        assert_eq!(kind(&head, 62), foreign("s390x"));
    }

    #[test]
    fn the_loader_of_a_dynamic_program_is_found() {
        let path = std::env::current_exe().expect("own path");
        let bytes = std::fs::read(path).expect("own bytes");
        let Binary::Native { loader } = kind(&bytes[..HEAD], OURS) else { panic!("not native") };
        if let Some(loader) = loader {
            assert!(std::path::Path::new(&loader).exists(), "{loader}");
        }
    }

    #[test]
    fn a_header_that_lies_about_its_offsets_harms_nobody() {
        let mut head = elf_of(62);
        head[32..40].fill(0xff);
        head[54..58].fill(0xff);
        assert_eq!(kind(&head, 62), Binary::Native { loader: None });
    }

    #[test]
    fn scripts_name_their_interpreter_as_the_kernel_sees_it() {
        let script = |text: &str| kind(text.as_bytes(), 62);
        let named = |name: &str| Binary::Script { interpreter: name.to_owned() };
        assert_eq!(script("#!/bin/sh -e\necho"), named("/bin/sh"));
        assert_eq!(script("#! /usr/bin/env python3\n"), named("/usr/bin/env"));
        assert_eq!(script("#!/bin/sh\r\necho"), named("/bin/sh\r"));
    }

    #[test]
    fn other_files_are_told_apart() {
        assert_eq!(kind(b"", 62), Binary::Empty);
        assert_eq!(kind("hällo\n".as_bytes(), 62), Binary::Text);
        assert_eq!(kind(b"MZ\x90\0", 62), foreign("Windows"));
        assert_eq!(kind(&[0xcf, 0xfa, 0xed, 0xfe, 7], 62), foreign("macOS"));
        assert_eq!(kind(&[1, 2, 3], 62), Binary::Unknown);
    }
}
