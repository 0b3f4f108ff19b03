//! Who calls: known by the kernel on the Unix socket, by their certificate over TCP; never by what they say.

use std::fs;
use std::io;
use std::sync::Arc;

use tokio::net::UnixStream;

/// Somebody who may call. All connections of one caller share its limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    Uid(u32),
    /// The certificate's subject, as DER.
    Subject(Arc<[u8]>),
}

/// Whom the Unix socket lets in besides root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    pub uid: u32,
    /// `service.group`.
    pub gid: Option<u32>,
}

/// A process at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    uid: u32,
    gid: u32,
    /// Its further groups.
    groups: Vec<u32>,
}

impl Admitted {
    /// The caller, or `None` for somebody who may not call. The mode of the socket has asked that already; this is
    /// for a socket that somebody has opened up.
    pub(super) fn caller(self, stream: &UnixStream) -> io::Result<Option<Caller>> {
        let peer = stream.peer_cred()?;
        let groups = if self.gid.is_some() { peer.pid().map(groups) } else { None };
        let peer = Peer { uid: peer.uid(), gid: peer.gid(), groups: groups.unwrap_or_default() };
        Ok(self.admits(&peer).then_some(Caller::Uid(peer.uid)))
    }

    fn admits(self, peer: &Peer) -> bool {
        let is_member = |gid| peer.gid == gid || peer.groups.contains(&gid);
        peer.uid == 0 || peer.uid == self.uid || self.gid.is_some_and(is_member)
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {uid}"),
            // The texts of a name lie in its DER as they are; the rest is of no use to anybody.
            Self::Subject(der) => {
                let text = String::from_utf8_lossy(der);
                let visible = |c: char| c.is_ascii_graphic() || c == ' ';
                let words = text.split(|c| !visible(c)).filter(|word| word.len() > 2);
                write!(f, "certificate of {}", words.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The line `Groups:` of `/proc/PID/status`. None if the process has gone: then it needs no answer either.
fn groups(pid: i32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    line.map(|line| line.split_whitespace().filter_map(|gid| gid.parse().ok()).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_the_supervisors_user_and_members_of_the_group_are_admitted() {
        let check = |gid: Option<u32>, uid: u32, own: u32, groups: &[u32], expected: bool| {
            let peer = Peer { uid, gid: own, groups: groups.to_vec() };
            assert_eq!(Admitted { uid: 1000, gid }.admits(&peer), expected, "{gid:?} {peer:?}");
        };
        check(None, 0, 0, &[], true);
        check(None, 1000, 1000, &[], true);
        check(None, 1001, 33, &[33, 1000], false);
        check(Some(33), 1001, 1001, &[], false);
        check(Some(33), 1001, 33, &[], true);
        check(Some(33), 1001, 1001, &[4, 33], true);
        check(Some(33), 33, 1001, &[], false);
    }

    #[test]
    fn the_groups_of_a_process_are_found() {
        let own = nix::unistd::getgroups().unwrap();
        let own: Vec<u32> = own.into_iter().map(nix::unistd::Gid::as_raw).collect();
        let mut found = groups(nix::unistd::getpid().as_raw());
        found.retain(|gid| own.contains(gid));
        assert_eq!(found.len(), own.len());
        assert!(groups(i32::MAX).is_empty());
    }

    #[test]
    fn a_subject_is_shown_by_its_texts() {
        // SET { SEQUENCE { OID 2.5.4.3, UTF8String "shop" } }
        let der = b"\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04shop";
        assert_eq!(Caller::Subject(der[..].into()).to_string(), "certificate of shop");
        assert_eq!(Caller::Uid(33).to_string(), "uid 33");
    }
}
