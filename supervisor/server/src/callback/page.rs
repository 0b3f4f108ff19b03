//! Parts of long lists, no longer than an answer may be.

use prost::Message;
use tonic::Status;

use crate::identity::ListQuery;

/// Entries in one answer: by default, and at most.
const SOME: u32 = 100;
const MOST: u32 = 1000;
/// Bytes in one answer; gRPC's own limit is 4 MiB.
const MOST_BYTES: usize = 3 << 20;
/// Characters.
const LONGEST_PATTERN: usize = 256;

/// Which part is asked for.
pub(super) fn page(pattern: &str, offset: u64, limit: u32) -> Result<ListQuery<'_>, Status> {
    let length = pattern.chars().take(LONGEST_PATTERN + 1).count();
    if length > LONGEST_PATTERN {
        return Err(Status::invalid_argument(format!(
            "the pattern is longer than {LONGEST_PATTERN} characters"
        )));
    }
    let limit = if limit == 0 { SOME } else { limit.min(MOST) };
    Ok(ListQuery { pattern, offset, limit, source: None })
}

/// As many as fit into an answer, and one at least.
pub(super) fn whole<M: Message>(mut entries: Vec<M>) -> Vec<M> {
    let mut bytes = 0;
    let fit = entries.iter().take_while(|entry| {
        bytes += entry.encoded_len();
        bytes <= MOST_BYTES
    });
    let fit = fit.count().max(1);
    entries.truncate(fit);
    entries
}

#[cfg(test)]
mod tests {
    use outboard_proto::host::v1::User;

    use super::*;

    #[test]
    fn a_list_is_bounded_in_entries_and_in_bytes() {
        assert_eq!(page("a", 0, 0).unwrap().limit, SOME);
        assert_eq!(page("a", 0, 1).unwrap().limit, 1);
        assert_eq!(page("a", 0, u32::MAX).unwrap().limit, MOST);
        assert!(page(&"ä".repeat(256), 0, 0).is_ok());
        assert!(page(&"ä".repeat(257), 0, 0).is_err());
        let large = User { properties: vec![b' '; 1 << 20].into(), ..User::default() };
        assert_eq!(whole(vec![large.clone(); 100]).len(), 2);
        assert_eq!(whole(vec![large; 1]).len(), 1);
        assert_eq!(whole(vec![User::default(); 1000]).len(), 1000);
        assert_eq!(whole(Vec::<User>::new()).len(), 0);
    }
}
