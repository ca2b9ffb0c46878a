//! Steps whose every run leaves a line on the host, so that a test can count them.

use super::lab::Lab;

/// A shell text that leaves the line `name` among the host's deeds.
pub fn deed(name: &str) -> String {
    format!("echo {name} >> /root/deeds")
}

/// The deeds done on a host, in order.
pub fn deeds(lab: &Lab, host: &str) -> Vec<String> {
    lab.sh(host, "cat /root/deeds 2>/dev/null || true").lines().map(str::to_owned).collect()
}
