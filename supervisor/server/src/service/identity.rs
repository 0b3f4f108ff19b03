//! Who somebody is, as headers for the service behind a proxy, and what a route needs, as an operator writes it.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};
use outboard_core::auth::GroupMatch;
use percent_encoding::percent_decode_str;

use crate::auth::{Identity, Requirement};

/// Each is there in every answer that lets somebody in, so that a proxy that copies it drops what the client sent
/// under this name.
pub(super) const EMAIL: HeaderName = HeaderName::from_static("outboard-user-email");
pub(super) const NAME: HeaderName = HeaderName::from_static("outboard-user-name");
pub(super) const GROUPS: HeaderName = HeaderName::from_static("outboard-user-groups");
/// What all of them begin with.
pub(super) const PREFIX: &str = "outboard-";

/// Most bytes of the list of groups: more than a proxy takes in a head.
const MOST_GROUP_BYTES: usize = 16 << 10;
/// Most groups that may be required, and the most bytes of each.
const MOST_GROUPS: usize = 1000;
const LONGEST_GROUP: usize = 255;

/// The headers that tell who it is. All are empty where nobody was asked.
pub(super) fn headers(who: &Identity) -> [(HeaderName, HeaderValue); 3] {
    let Identity::User(user) = who else {
        return [EMAIL, NAME, GROUPS].map(|name| (name, HeaderValue::from_static("")));
    };
    let groups: Vec<String> = user.groups.iter().map(|group| encode(group)).collect();
    let mut groups = groups.join(",");
    if groups.len() > MOST_GROUP_BYTES {
        tracing::warn!(
            email = user.email,
            groups = user.groups.len(),
            "more groups than fit into a header: {GROUPS} is left empty; ask POST /v1/authorize instead"
        );
        groups.clear();
    }
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    [
        (EMAIL, value(&encode(&user.email))),
        (NAME, value(&encode(&user.name))),
        (GROUPS, value(&groups)),
    ]
}

/// Everything but visible ASCII percent-encoded, and of that "%" and ",", so that the text comes back by decoding and
/// can't end a header, or a group.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' && byte != b',' {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes everything");
        }
    }
    encoded
}

/// What an operator has written for a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    groups: Vec<String>,
    rule: Option<GroupMatch>,
    is_admin: bool,
}

impl Wanted {
    /// From the query of a URL.
    pub(super) fn of_query(query: &str) -> Result<Self, String> {
        let mut wanted = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A list first becomes one, so that a name may hold an encoded comma.
            wanted.set(name, value, |item| {
                let item = percent_decode_str(item).decode_utf8();
                item.map(Into::into).map_err(|_| format!("{name}: no UTF-8 in it"))
            })?;
        }
        wanted.checked()
    }

    /// From names and values as they are.
    pub(super) fn of_pairs<'p>(
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, String> {
        let mut wanted = Self::default();
        for (name, value) in pairs {
            wanted.set(name, value, |item| Ok(item.to_owned()))?;
        }
        wanted.checked()
    }

    /// What it needs, where `admin` are the groups of administrators.
    pub(super) fn requirement(self, admin: &[String]) -> Requirement {
        let groups = if self.is_admin { admin.to_vec() } else { self.groups };
        Requirement { groups, rule: self.rule }
    }

    fn set(
        &mut self,
        name: &str,
        value: &str,
        decode: impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        match (name, value) {
            ("groups", list) => {
                for item in list.split(',') {
                    self.groups.push(decode(item)?);
                }
            }
            ("match", "all") => self.rule = Some(GroupMatch::All),
            ("match", "any") => self.rule = Some(GroupMatch::Any),
            ("match", _) => return Err("match: it must be \"all\" or \"any\"".to_owned()),
            ("admin", "1") => self.is_admin = true,
            ("admin", _) => return Err("admin: it must be \"1\", or not there".to_owned()),
            _ => return Err("only groups, match and admin can be asked for".to_owned()),
        }
        Ok(())
    }

    /// Whatever is not clear is a mistake: a route must not be open because of a typo.
    fn checked(self) -> Result<Self, String> {
        if self.is_admin && !self.groups.is_empty() {
            return Err("admin and groups exclude each other; write one of them".to_owned());
        }
        check(&Requirement { groups: self.groups.clone(), rule: self.rule })?;
        Ok(self)
    }
}

/// Says what is wrong with required groups.
pub(super) fn check(required: &Requirement) -> Result<(), String> {
    let groups = &required.groups;
    if groups.len() > MOST_GROUPS {
        return Err(format!("groups: more than {MOST_GROUPS} of them"));
    }
    if groups.iter().any(|group| group.trim().is_empty()) {
        return Err("groups: one of them is empty; leave out what needs none".to_owned());
    }
    if groups.iter().any(|group| group.len() > LONGEST_GROUP) {
        return Err(format!("groups: one of them is longer than {LONGEST_GROUP} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_not_leave_their_header_and_come_back_by_decoding() {
        let check = |text: &str, expected: &str| {
            assert_eq!(encode(text), expected);
            assert_eq!(percent_decode_str(expected).decode_utf8().unwrap(), text);
            HeaderValue::from_str(expected).unwrap();
        };
        check("ada@example.com", "ada@example.com");
        check("proctor.admin", "proctor.admin");
        check("Ada Lovelace", "Ada%20Lovelace");
        check("a\r\nOutboard-User-Groups: root", "a%0D%0AOutboard-User-Groups:%20root");
        check("a,b%2C", "a%2Cb%252C");
        check("Zoë 雪", "Zo%C3%AB%20%E9%9B%AA");
        check("\0\x7f", "%00%7F");
    }

    #[test]
    fn what_a_route_needs_is_read_from_a_query() {
        let check = |query: &str, groups: &[&str], rule: Option<GroupMatch>| {
            let requirement = Wanted::of_query(query).unwrap().requirement(&["boss".to_owned()]);
            assert_eq!(requirement.groups, groups, "{query}");
            assert_eq!(requirement.rule, rule, "{query}");
        };
        check("", &[], None);
        check("groups=a,b", &["a", "b"], None);
        check("groups=a&groups=b&match=any", &["a", "b"], Some(GroupMatch::Any));
        check("groups=a%2Cb,%20c%C3%AB", &["a,b", " cë"], None);
        check("admin=1&match=all", &["boss"], Some(GroupMatch::All));
    }

    #[test]
    fn what_is_not_clear_is_a_mistake() {
        let check = |query: &str, expected: &str| {
            let mistake = Wanted::of_query(query).unwrap_err();
            assert!(mistake.starts_with(expected), "{query}: {mistake}");
        };
        check("group=a", "only groups");
        check("Groups=a", "only groups");
        check("match=ALL", "match");
        check("match", "match");
        check("admin=true", "admin");
        check("admin", "admin");
        check("admin=1&groups=a", "admin and groups");
        check("groups=", "groups: one");
        check("groups=a,,b", "groups: one");
        check("groups=a,%20", "groups: one");
        check("groups=%FF", "groups: no UTF-8");
        check(&format!("groups={}", "a".repeat(256)), "groups: one");
        check(&format!("groups={}", vec!["a"; 1001].join(",")), "groups: more");
    }
}
