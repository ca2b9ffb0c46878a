//! What was changed, cut, removed or made anew in records is found, and where it is: `runbook::audit` on state dirs that
//! other hands had a hand in.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it does not go on")]

mod proof {
    mod chains;
    mod journals;
    mod program;
    mod signatures;
    mod site;
}
