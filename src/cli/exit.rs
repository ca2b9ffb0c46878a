//! Exit statuses. The manual and the README carry the same table.

/// Done, every check held.
pub(super) const OK: u8 = 0;
/// A step or check failed.
pub(super) const FAILED: u8 = 1;
/// Usage, or an invalid runbook, inventory or parameter; nothing was done.
pub(super) const USAGE: u8 = 2;
/// A precondition did not hold; nothing was changed.
pub(super) const PRECONDITION: u8 = 3;
/// Declined, or a question could not be asked.
pub(super) const DECLINED: u8 = 4;
/// Another run holds it.
pub(super) const LOCKED: u8 = 6;
/// A journal does not verify.
pub(super) const JOURNAL: u8 = 7;
/// The wiki, the plan or the runbook changed underneath.
pub(super) const DRIFT: u8 = 8;
/// The state could not be written.
pub(super) const UNWRITABLE: u8 = 9;

/// The table, for `--help`.
pub(super) const TABLE: &str = "\
Exit status:
  0    done, every check held
  1    a step or check failed
  2    usage; invalid runbook, inventory or parameter; nothing was done
  3    a precondition did not hold; nothing was changed
  4    declined, or a question could not be asked; nothing further was done
  5    stopped with steps in doubt
  6    locked by another run
  7    a journal does not verify
  8    drift: the wiki, the plan or the runbook changed underneath
  9    the state could not be written (disk full, permissions); can be resumed
  130  interrupted; can be resumed";
