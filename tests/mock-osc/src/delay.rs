//! Delays that end after some requests or at a time of the mock's clock. Nothing sleeps.

use std::time::{Duration, SystemTime};

/// How long a state lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delay {
    /// For this many requests to it.
    Requests(usize),
    /// For this long by the mock's clock, which [`advance`](crate::MockOsc::advance) moves ahead.
    Time(Duration),
}

impl Delay {
    pub(crate) fn begin(self, now: SystemTime) -> Pending {
        match self {
            Self::Requests(left) => Pending::Requests(left),
            Self::Time(duration) => Pending::Until(now + duration),
        }
    }
}

/// A delay that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending {
    Requests(usize),
    Until(SystemTime),
}

impl Pending {
    /// Returns true while the delay lasts. The call counts as a request.
    pub(crate) fn meets(&mut self, now: SystemTime) -> bool {
        match self {
            Self::Requests(0) => false,
            Self::Requests(left) => {
                *left -= 1;
                true
            }
            Self::Until(end) => now < *end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_so_many_requests_or_so_much_time() {
        let begin = SystemTime::UNIX_EPOCH;
        let mut requests = Delay::Requests(2).begin(begin);
        assert_eq!([(); 4].map(|()| requests.meets(begin)), [true, true, false, false]);
        let mut time = Delay::Time(Duration::from_secs(9)).begin(begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!([0, 8, 9, 10].map(|seconds| time.meets(after(seconds))), [true, true, false, false]);
    }
}
