//! Who may send how much: per request and direction, in bytes of `Data`.

use super::request::Violation;
use super::settings::MAX_CREDIT_BYTES;

/// What this side may still send.
#[derive(Debug)]
pub(super) struct SendCredit {
    left: u32,
}

impl SendCredit {
    pub(super) fn new(initial: u32) -> Self {
        Self { left: initial }
    }

    pub(super) fn left(&self) -> usize {
        self.left as usize
    }

    pub(super) fn add(&mut self, bytes: u32) -> Result<(), Violation> {
        let left = self.left.checked_add(bytes).filter(|&left| left <= MAX_CREDIT_BYTES);
        self.left = left.ok_or(Violation::TooMuchCredit)?;
        Ok(())
    }

    /// `bytes` is at most [`SendCredit::left`].
    pub(super) fn spend(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.left(), "{bytes} of {} bytes of credit", self.left);
        self.left = self.left.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What the other side may still send.
///
/// `left + held + owed` is always `size`.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    initial: u32,
    /// The other side may send this much.
    left: u32,
    /// Arrived, and not taken by the application.
    held: u32,
    /// Taken, and not yet given back as credit.
    owed: u32,
}

/// Room for windows to grow, shared by all requests of a stream.
#[derive(Debug)]
pub(super) struct Growth {
    /// Largest window.
    pub(super) window_bytes: u32,
    /// What is left to grow by.
    pub(super) bytes: u32,
}

impl Window {
    pub(super) fn new(initial: u32) -> Self {
        Self { size: initial, initial, left: initial, held: 0, owed: 0 }
    }

    pub(super) fn receive(&mut self, bytes: usize) -> Result<(), Violation> {
        let bytes = u32::try_from(bytes).map_err(|_| Violation::Credit)?;
        self.left = self.left.checked_sub(bytes).ok_or(Violation::Credit)?;
        self.held += bytes;
        Ok(())
    }

    /// The application has taken `bytes`. Gives the credit to send, if enough has come together.
    ///
    /// Half a window is enough: the other side then still has the other half to go on with. A window
    /// whose data is taken as it comes is what slows the sender down, so it doubles.
    pub(super) fn take(&mut self, bytes: usize, growth: &mut Growth) -> Option<u32> {
        let taken = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.held);
        self.held -= taken;
        self.owed += taken;
        if self.owed < self.size.div_ceil(2) {
            return None;
        }
        let credit = self.owed + self.grow(growth);
        self.owed = 0;
        self.left += credit;
        Some(credit)
    }

    fn grow(&mut self, growth: &mut Growth) -> u32 {
        if self.held != 0 {
            return 0;
        }
        let more = self.size.min(growth.window_bytes.saturating_sub(self.size)).min(growth.bytes);
        growth.bytes -= more;
        self.size += more;
        more
    }

    /// Gives back what the window grew by.
    pub(super) fn close(self, growth: &mut Growth) {
        growth.bytes += self.size - self.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u32 = 1024;

    #[test]
    fn data_beyond_the_credit_is_a_violation() {
        let mut window = Window::new(64 * KIB);
        assert_eq!(window.receive(64 * 1024), Ok(()));
        assert_eq!(window.receive(1), Err(Violation::Credit));
        assert_eq!(Window::new(1).receive(usize::MAX), Err(Violation::Credit));
    }

    #[test]
    fn credit_comes_back_at_half_and_grows_while_data_is_taken_as_it_comes() {
        let mut growth = Growth { window_bytes: 256 * KIB, bytes: 300 * KIB };
        let mut window = Window::new(64 * KIB);
        window.receive(64 * 1024).unwrap();
        assert_eq!(window.take(10, &mut growth), None);
        assert_eq!(window.take(32 * 1024, &mut growth), Some(32 * KIB + 10), "data is waiting");
        assert_eq!(window.take(usize::MAX, &mut growth), None);
        window.receive(10).unwrap();
        assert_eq!(window.take(10, &mut growth), Some(32 * KIB + 64 * KIB));
        assert_eq!((window.size, growth.bytes), (128 * KIB, 236 * KIB));
        window.receive(128 * 1024).unwrap();
        assert_eq!(window.take(128 * 1024, &mut growth), Some(256 * KIB));
        window.receive(256 * 1024).unwrap();
        assert_eq!(window.take(256 * 1024, &mut growth), Some(256 * KIB), "as large as may be");
        assert_eq!((window.size, growth.bytes), (256 * KIB, 108 * KIB));
        window.close(&mut growth);
        assert_eq!(growth.bytes, 300 * KIB);
    }

    #[test]
    fn no_window_grows_when_the_room_is_used_up() {
        let mut growth = Growth { window_bytes: 256 * KIB, bytes: KIB };
        let mut window = Window::new(64 * KIB);
        window.receive(64 * 1024).unwrap();
        assert_eq!(window.take(64 * 1024, &mut growth), Some(65 * KIB));
        window.receive(65 * 1024).unwrap();
        assert_eq!(window.take(65 * 1024, &mut growth), Some(65 * KIB));
    }

    #[test]
    fn credit_never_passes_its_limit() {
        let mut credit = SendCredit::new(1);
        assert_eq!(credit.add(MAX_CREDIT_BYTES - 1), Ok(()));
        assert_eq!(credit.add(1), Err(Violation::TooMuchCredit));
        assert_eq!(credit.add(u32::MAX), Err(Violation::TooMuchCredit));
        credit.spend(5);
        assert_eq!(credit.left(), MAX_CREDIT_BYTES as usize - 5);
    }
}
