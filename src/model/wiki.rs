//! The wiki that a book is published to.

use minijinja::Value;
use serde::Serialize;

use super::expression::EvalError;
use super::scope::Scope;
use super::template::Template;

/// What `wiki:` of `book.yaml` says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WikiSettings {
    /// The wiki's address: of its `api.php`, or of the folder that this is in.
    pub url: Option<String>,
    /// What a runbook's page is called.
    pub title: Option<Template>,
    /// The category of all pages.
    pub category: Option<String>,
    /// What the book's own page is called.
    pub page: Option<String>,
    /// What the links of a system stand under on the book's own page.
    pub links_heading: Option<String>,
}

impl WikiSettings {
    /// The names that a title's template may use.
    pub const NAMES: &[&str] = &["name", "title", "system"];

    /// What a title may not hold, wherever it stands.
    pub const BAD: &str = "#<>[]|{}";

    /// The category of all pages; `Runbooks` when the book says nothing.
    pub fn category(&self) -> &str {
        self.category.as_deref().unwrap_or("Runbooks")
    }

    /// What the page of a runbook is called; `Runbook:NAME` when the book says nothing.
    pub fn title_of(&self, name: &str, title: &str, system: &str) -> Result<String, EvalError> {
        let Some(template) = &self.title else { return Ok(format!("Runbook:{name}")) };
        let values = Self::NAMES.iter().zip([name, title, system]);
        let scope = values.fold(Scope::new(), |scope, (name, value)| scope.with(name, Value::from(value)));
        Ok(template.text(&scope)?.trim().to_owned())
    }
}
