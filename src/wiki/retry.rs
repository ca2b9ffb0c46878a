//! How patiently a wiki is asked again.

use std::time::Duration;

/// The pauses before each further try, where the wiki does not say how long.
const PAUSES: [Duration; 7] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(32),
];

/// The longest pause that is made because the wiki asks for it.
const LONGEST: Duration = Duration::from_mins(1);

/// What is left of the patience with one request.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: usize,
}

impl Patience {
    /// The pause before the next try; none when it is to be given up. `told`: what the wiki asks for.
    pub(super) fn next(&mut self, told: Option<Duration>) -> Option<Duration> {
        let own = PAUSES.get(self.tries)?;
        self.tries += 1;
        match told {
            Some(told) if told > LONGEST => None,
            Some(told) => Some(told.max(PAUSES[0])),
            None => Some(*own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_has_an_end() {
        let mut patience = Patience::default();
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.next(None)).collect();
        assert_eq!(pauses, PAUSES);
        let mut patience = Patience::default();
        assert_eq!(std::iter::from_fn(|| patience.next(Some(Duration::from_secs(5)))).count(), PAUSES.len());
        assert_eq!(Patience::default().next(Some(Duration::from_hours(1))), None);
        assert_eq!(Patience::default().next(Some(Duration::ZERO)), Some(PAUSES[0]));
    }
}
