//! What somebody probably meant to write.

/// The known word nearest to an unknown one, unless none is near enough to be meant.
pub(crate) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = word.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be changed, added, dropped or swapped with their neighbour to get from
/// one word to the other, whatever their case (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    // Words that differ so much in length are never near; this bounds the work on hostile input.
    if from.len().abs_diff(to.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let is_change = usize::from(from[i - 1] != to[j - 1]);
            let mut best = (above[j - 1] + is_change).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<&str>) {
        assert_eq!(closest(word, ["listen", "prefix", "max_body", "user"]), expected, "{word}");
    }

    #[test]
    fn slips_of_the_finger_are_understood() {
        check("lisen", Some("listen"));
        check("litsen", Some("listen"));
        check("Prefix", Some("prefix"));
        check("max-body", Some("max_body"));
    }

    #[test]
    fn nothing_is_suggested_for_a_word_of_another_kind() {
        check("database", None);
        check("x", None);
        check("", None);
    }
}
