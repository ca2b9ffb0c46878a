//! What tells two plans apart.
//!
//! The digest covers the texts of the runbook, of included runbooks and of the shared probes it uses; the contents of
//! its scripts and files; its hosts in order with address, port, user, transport, sudo and the variables it uses;
//! `--limit`; parameters without secrets. Not covered: observations, skips, acknowledgements, hosts and probes it does
//! not use, where the book lies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value as Json, json};

use super::outline::Plan;
use crate::vocab::Digest;

#[expect(clippy::unwrap_used, reason = "the pattern is a constant")]
static HOST_VAR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"host\.vars(?:\.(\w+)|\[["']([^"']+)["']\])?"#).unwrap());

/// The variables of hosts that the texts of a plan use; none: all of them, since one text takes the map as a whole.
pub(super) fn used_vars(texts: &Json) -> Option<BTreeSet<String>> {
    let mut used = BTreeSet::new();
    let mut stack = vec![texts];
    while let Some(value) = stack.pop() {
        match value {
            Json::String(text) => {
                for found in HOST_VAR.captures_iter(text) {
                    used.insert(found.get(1).or_else(|| found.get(2))?.as_str().to_owned());
                }
            }
            Json::Array(items) => stack.extend(items),
            Json::Object(map) => stack.extend(map.values()),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    Some(used)
}

/// The digest of a plan whose other fields are in place.
pub(super) fn digest(plan: &Plan) -> Digest {
    let texts: Vec<Json> = plan.texts.iter().map(|text| json!([text.name, text.digest])).collect();
    let meaning = serde_json::to_value(&*plan.runbook).unwrap_or(Json::Null);
    let used = used_vars(&meaning);
    let hosts: Vec<Json> = plan
        .hosts
        .values()
        .map(|target| {
            let vars: BTreeMap<_, _> =
                target.vars.iter().filter(|(name, _)| used.as_ref().is_none_or(|used| used.contains(*name))).collect();
            json!([target.name, target.address, target.port, target.user, target.transport, target.sudo, vars])
        })
        .collect();
    let units: Vec<Json> = plan.units.iter().map(|unit| json!([unit.id, unit.batches, unit.all_hosts])).collect();
    let params: Vec<Json> = plan.scopes.iter().map(|params| json!(params.shown())).collect();
    let whole = json!({
        "format": 1,
        "runbook": plan.runbook.name,
        "texts": texts,
        "hosts": hosts,
        "units": units,
        "limit": plan.limit,
        "params": params,
    });
    Digest::of(whole.to_string().as_bytes())
}
