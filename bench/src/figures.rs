//! Medians and shares, and how they are written.

/// The middle value; of an even number, the higher of the two in the middle. 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    share(values, 0.5)
}

/// The value that `share` of all are below.
pub(crate) fn share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index, and rounding it down is meant"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The median of each pair's ratio: both of a pair ran right after each other, so what slowed one slowed the other.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios)
}

/// Lowest to highest, to show how much a figure moved.
pub(crate) fn span(values: &[f64], digits: usize) -> String {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({lowest:.digits$}–{highest:.digits$})", median(values))
}

/// Whether a promise is kept, in a word.
pub(crate) fn verdict(is_kept: bool) -> &'static str {
    if is_kept { "kept" } else { "**not kept**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "values go through unchanged")]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 4.0);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(share(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "exact in binary")]
    fn a_ratio_is_taken_pair_by_pair() {
        assert_eq!(ratio(&[2.0, 20.0, 4.0], &[1.0, 10.0, 2.0]), 2.0);
    }
}
