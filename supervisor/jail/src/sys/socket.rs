//! Messages that carry descriptors, or say which process sent them.

use std::mem::{MaybeUninit, size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{ptr, slice};

use libc::c_int;
use nix::errno::Errno;

use super::Result;

/// The most descriptors one message carries.
const DESCRIPTORS_MAX: usize = 5;

/// Room for the credentials and descriptors of one message, aligned as the kernel wants it.
struct Control([u64; 16]);

impl Control {
    /// As much of the room as `send` needs: 0 without anything to carry.
    fn write(&mut self, descriptors: &[RawFd], credentials: Option<&libc::ucred>) -> usize {
        let mut used = 0;
        if let Some(credentials) = credentials {
            used += self.append(used, libc::SCM_CREDENTIALS, slice::from_ref(credentials));
        }
        if !descriptors.is_empty() {
            used += self.append(used, libc::SCM_RIGHTS, descriptors);
        }
        used
    }

    fn append<T>(&mut self, at: usize, kind: c_int, data: &[T]) -> usize {
        let bytes = u32::try_from(size_of_val(data)).unwrap_or(0);
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, len) = unsafe { (libc::CMSG_SPACE(bytes), libc::CMSG_LEN(bytes)) };
        let header =
            libc::cmsghdr { cmsg_len: len as _, cmsg_level: libc::SOL_SOCKET, cmsg_type: kind };
        // SAFETY: the room holds one credential and five descriptors, which is the most that is
        // ever sent; CMSG_SPACE keeps the next header aligned.
        unsafe {
            let place = self.0.as_mut_ptr().byte_add(at).cast::<libc::cmsghdr>();
            place.write(header);
            let bytes = data.as_ptr().cast::<u8>();
            ptr::copy_nonoverlapping(bytes, libc::CMSG_DATA(place), size_of_val(data));
        }
        space as usize
    }
}

/// Sends one message with descriptors. With `sender`, says that this process id sent it, which
/// the kernel checks, and translates for the receiver.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[RawFd],
    sender: Option<i32>,
) -> Result<()> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(Errno::EINVAL);
    }
    // SAFETY: these calls cannot fail and take nothing.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    let credentials = sender.map(|pid| libc::ucred { pid, uid, gid });
    let mut control = Control([0; 16]);
    let used = control.write(descriptors, credentials.as_ref());
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: an all-zero msghdr is an empty one.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if used > 0 {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = used as _;
    }
    loop {
        // SAFETY: the message points to `part`, `bytes` and `control`, which outlive the call; the
        // kernel only reads them.
        let sent =
            unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match Errno::result(sent) {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// One received message.
#[derive(Default)]
pub(crate) struct Received {
    /// 0 when the other end is closed.
    pub(crate) len: usize,
    pub(crate) descriptors: [Option<OwnedFd>; DESCRIPTORS_MAX],
    /// The sender's process id as this process sees it, where the socket asks for it.
    pub(crate) sender: Option<i32>,
}

/// Receives one message into `buffer`. Its descriptors are closed on exec.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Received> {
    let mut control = Control([0; 16]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: an all-zero msghdr is an empty one.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control.0) as _;
    let len = loop {
        // SAFETY: the message points to `part`, `buffer` and `control`, all writable and alive.
        let got =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match Errno::result(got) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut received = Received { len: usize::try_from(len).unwrap_or(0), ..Received::default() };
    // SAFETY: the kernel has just filled the message and what it points to.
    unsafe { take_control(&message, &mut received) };
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(Errno::EMSGSIZE);
    }
    Ok(received)
}

/// Moves what came beside a message into `received`.
///
/// # Safety
///
/// `message` was filled by `recvmsg`, its control buffer is alive, and this is called once for it.
unsafe fn take_control(message: &libc::msghdr, received: &mut Received) {
    let mut free = 0;
    // SAFETY: the macros walk a buffer that the kernel has filled with well-formed headers; the
    // descriptors in it are new and nobody else's. Reads are unaligned, to be sure.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            match (*header).cmsg_type {
                libc::SCM_RIGHTS => {
                    let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                    for at in (0..bytes).step_by(size_of::<RawFd>()) {
                        let raw = read_raw::<RawFd>(data.add(at));
                        let descriptor = OwnedFd::from_raw_fd(raw);
                        if let Some(slot) = received.descriptors.get_mut(free) {
                            *slot = Some(descriptor);
                            free += 1;
                        }
                    }
                }
                libc::SCM_CREDENTIALS => {
                    received.sender = Some(read_raw::<libc::ucred>(data).pid);
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}

/// # Safety
///
/// A `T`, for which any bytes are valid, stands at `place`, aligned or not.
unsafe fn read_raw<T: Copy>(place: *const u8) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the caller's promise, and the copy is by bytes.
    unsafe {
        ptr::copy_nonoverlapping(place, value.as_mut_ptr().cast::<u8>(), size_of::<T>());
        value.assume_init()
    }
}
