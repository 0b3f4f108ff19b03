//! Makes the kernel answer this process, and all that it starts, as another kernel would.

use nix::sys::prctl::set_no_new_privs;

/// Where `linux/seccomp.h` puts the call's number and, each in the lower half, its arguments.
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

const SO_PEERPIDFD: u32 = 77;
const PIDFD_GET_PID_NAMESPACE: u32 = 0xFF05;

/// One refusal: this call, if that argument has any of those bits, or is exactly that.
struct Refusal {
    call: libc::c_long,
    condition: Condition,
    errno: i32,
}

enum Condition {
    Always,
    Is { argument: u32, value: u32 },
    HasAny { argument: u32, bits: u32 },
}

/// As Linux 5.3: no `clone3`, no `close_range`, and nothing that tells about a peer by descriptor.
pub(crate) fn play_old_kernel() {
    install(&[
        Refusal { call: libc::SYS_clone3, condition: Condition::Always, errno: libc::ENOSYS },
        Refusal { call: libc::SYS_close_range, condition: Condition::Always, errno: libc::ENOSYS },
        Refusal {
            call: libc::SYS_getsockopt,
            condition: Condition::Is { argument: 2, value: SO_PEERPIDFD },
            errno: libc::ENOPROTOOPT,
        },
        Refusal {
            call: libc::SYS_ioctl,
            condition: Condition::Is { argument: 1, value: PIDFD_GET_PID_NAMESPACE },
            errno: libc::ENOTTY,
        },
    ]);
}

/// As a container engine's default profile: `clone3` does not exist, and namespaces are refused.
pub(crate) fn play_strict_container() {
    let bits = (libc::CLONE_NEWPID | libc::CLONE_NEWUSER).cast_unsigned();
    install(&[
        Refusal { call: libc::SYS_clone3, condition: Condition::Always, errno: libc::ENOSYS },
        Refusal {
            call: libc::SYS_clone,
            condition: Condition::HasAny { argument: 0, bits },
            errno: libc::EPERM,
        },
    ]);
}

fn install(refusals: &[Refusal]) {
    let mut program: Vec<libc::sock_filter> = refusals.iter().flat_map(instructions).collect();
    program.push(give(libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap(),
        filter: program.as_mut_ptr(),
    };
    set_no_new_privs().unwrap();
    // SAFETY: the kernel copies the program, which lives until after the call.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn instructions(refusal: &Refusal) -> Vec<libc::sock_filter> {
    let call = u32::try_from(refusal.call).unwrap();
    let errno = give(libc::SECCOMP_RET_ERRNO | refusal.errno.cast_unsigned());
    let argument = |index: u32| load(ARGUMENTS + 8 * index);
    match refusal.condition {
        Condition::Always => vec![load(NUMBER), unless(libc::BPF_JEQ, call, 1), errno],
        Condition::Is { argument: index, value } => vec![
            load(NUMBER),
            unless(libc::BPF_JEQ, call, 3),
            argument(index),
            unless(libc::BPF_JEQ, value, 1),
            errno,
        ],
        Condition::HasAny { argument: index, bits } => vec![
            load(NUMBER),
            unless(libc::BPF_JEQ, call, 3),
            argument(index),
            unless(libc::BPF_JSET, bits, 1),
            errno,
        ],
    }
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset)
}

/// Skips so many instructions if the test fails.
fn unless(test: u32, value: u32, skip: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, skip, value)
}

fn give(answer: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, answer)
}

fn instruction(code: u32, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap(), jt: 0, jf, k }
}
