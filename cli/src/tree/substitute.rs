//! Flux's post-build substitution, in the strict form that is its default: a variable that is not defined and
//! has no default is an error.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::TreeError;
use super::object::DeclaredObject;

/// Annotation or label by which an object is left as it is.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The variables of one Kustomization.
#[derive(Debug)]
pub(super) struct Variables {
    pub(super) values: BTreeMap<String, String>,
    /// Why more may be defined, as `Secret cluster is not in the tree`.
    pub(super) missing: Vec<String>,
    /// Who defines them, as `Kustomization flux-system/apps`.
    pub(super) by: String,
    /// Whether more may be defined by what the tree does not hold.
    pub(super) is_partial: bool,
}

/// Substitutes in all texts of an object.
pub(super) fn apply(object: &mut DeclaredObject, variables: &Variables) -> Result<(), TreeError> {
    let metadata = &object.value["metadata"];
    let is_off = |map: &Value| map[SWITCH] == "disabled";
    if is_off(&metadata["annotations"]) || is_off(&metadata["labels"]) {
        return Ok(());
    }
    let mut value = object.value.clone();
    match in_value(&mut value, variables) {
        Ok(()) => object.value = value,
        Err(fault) if is_harmless(object, &fault, variables) => {}
        Err(fault) => return Err(explain(object, &fault, variables)),
    }
    Ok(())
}

/// Whether an object may stay as it is: no plan depends on it, and the cluster may know better.
fn is_harmless(object: &DeclaredObject, fault: &Fault, variables: &Variables) -> bool {
    let is_known_elsewhere = match fault {
        Fault::Undefined(_) => variables.is_partial,
        Fault::Form { .. } => true,
    };
    !object.decides() && is_known_elsewhere
}

/// Why an expression is not substituted.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Undefined(String),
    Form {
        expression: String,
        why: &'static str,
    },
}

fn explain(object: &DeclaredObject, fault: &Fault, variables: &Variables) -> TreeError {
    let needle = match fault {
        Fault::Undefined(name) => format!("${{{name}"),
        Fault::Form { expression, .. } => expression.clone(),
    };
    let source = object.source.as_ref();
    let line = source.and_then(|source| {
        let at = source
            .text
            .lines()
            .position(|line| line.contains(&needle))?;
        Some(at + 1)
    });
    let file = source.map(|source| source.path.display().to_string());
    let (file, line) = (file.unwrap_or_default(), line.unwrap_or(1));
    let place = format!("{file}:{line}: {}", object.described()).into_boxed_str();
    match fault {
        Fault::Undefined(variable) => TreeError::Undefined {
            place,
            variable: variable.clone(),
            by: variables.by.clone(),
            missing: match variables.missing.as_slice() {
                [] => String::new(),
                missing => format!(", whose {}", missing.join(" and ")),
            },
        },
        Fault::Form { expression, why } => TreeError::Expression {
            place,
            expression: expression.clone(),
            why,
        },
    }
}

fn in_value(value: &mut Value, variables: &Variables) -> Result<(), Fault> {
    match value {
        Value::String(text) if text.contains('$') => {
            let new = in_text(text, &variables.values)?;
            if new != *text {
                *value = typed(new);
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| in_value(item, variables)),
        Value::Object(fields) => fields
            .iter_mut()
            .try_for_each(|(_, field)| in_value(field, variables)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Flux reads the text as YAML again, by which `8080` becomes a number.
fn typed(text: String) -> Value {
    match serde_saphyr::from_str::<Value>(&text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => value,
        _ => Value::String(text),
    }
}

/// The text with every `${…}` replaced; `$$` stands for a dollar.
fn in_text(text: &str, values: &BTreeMap<String, String>) -> Result<String, Fault> {
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        new.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            new.push('$');
            rest = escaped;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some((expression, tail)) = inside.split_once('}') else {
                return Err(fault(inside, "its brace is not closed"));
            };
            new.push_str(&evaluate(expression, values)?);
            rest = tail;
        } else {
            new.push('$');
            rest = after;
        }
    }
    new.push_str(rest);
    Ok(new)
}

fn fault(expression: &str, why: &'static str) -> Fault {
    let start: String = expression.chars().take(60).collect();
    Fault::Form {
        expression: format!("${{{start}"),
        why,
    }
}

fn evaluate(expression: &str, values: &BTreeMap<String, String>) -> Result<String, Fault> {
    let (length, body) = match expression.strip_prefix('#') {
        Some(body) => (true, body),
        None => (false, expression),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = body.find(|c| !is_name(c)).unwrap_or(body.len());
    let (name, form) = body.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fault(
            expression,
            "it does not begin with the name of a variable",
        ));
    }
    let value = values.get(name);
    if let Some(default) = default(form) {
        let takes_empty = form.starts_with(':');
        let given = value.filter(|value| !(takes_empty && value.is_empty()));
        return Ok(given.cloned().unwrap_or_else(|| default.to_owned()));
    }
    let value = value.ok_or_else(|| Fault::Undefined(name.to_owned()))?;
    if length {
        return Ok(value.chars().count().to_string());
    }
    changed(value, form).ok_or_else(|| {
        fault(
            expression,
            "podid knows ${VAR}, ${VAR:=default}, ${VAR:-default}, ${#VAR}, ${VAR:start:length}, \
             ${VAR/old/new}, ${VAR//old/new}, ${VAR^^} and ${VAR,,}",
        )
    })
}

/// The default of `:=default`, `:-default`, `=default` and `-default`.
fn default(form: &str) -> Option<&str> {
    let form = form.strip_prefix(':').unwrap_or(form);
    form.strip_prefix(['=', '-'])
}

fn changed(value: &str, form: &str) -> Option<String> {
    match form {
        "" => return Some(value.to_owned()),
        "^^" => return Some(value.to_uppercase()),
        ",," => return Some(value.to_lowercase()),
        _ => {}
    }
    if let Some(form) = form.strip_prefix("//") {
        let (old, new) = form.split_once('/').unwrap_or((form, ""));
        return (!old.is_empty()).then(|| value.replace(old, new));
    }
    if let Some(form) = form.strip_prefix('/') {
        let (old, new) = form.split_once('/').unwrap_or((form, ""));
        return (!old.is_empty()).then(|| value.replacen(old, new, 1));
    }
    let range = form.strip_prefix(':')?;
    let (start, length) = range.split_once(':').unwrap_or((range, ""));
    let start: usize = start.parse().ok()?;
    let length: usize = match length {
        "" => usize::MAX,
        length => length.parse().ok()?,
    };
    Some(value.chars().skip(start).take(length).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> BTreeMap<String, String> {
        let pairs = [("env", "staging"), ("port", "8080"), ("none", "")];
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn every_form_gives_what_flux_gives() {
        let table = [
            ("a-${env}-b", "a-staging-b"),
            ("${env}${env}", "stagingstaging"),
            ("${other:=x}", "x"),
            ("${other:-x}", "x"),
            ("${none:=x}", "x"),
            ("${none=x}", ""),
            ("${env:=x}", "staging"),
            ("${#env}", "7"),
            ("${env:0:4}", "stag"),
            ("${env:4}", "ing"),
            ("${env/ag/og}", "stoging"),
            ("${env//g/G}", "staGinG"),
            ("${env^^}", "STAGING"),
            ("$${env}", "${env}"),
            ("$env costs 5$", "$env costs 5$"),
        ];
        for (text, wanted) in table {
            assert_eq!(in_text(text, &values()), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_undefined_or_unknown_is_named() {
        let undefined = in_text("x ${region}", &values());
        assert_eq!(undefined, Err(Fault::Undefined("region".into())));
        for text in ["${env%x}", "${}", "${1a}", "${env", "${env:x}", "${env///}"] {
            let Err(Fault::Form { expression, .. }) = in_text(text, &values()) else {
                panic!("{text}")
            };
            assert!(text.starts_with(&expression), "{text}: {expression}");
        }
    }

    #[test]
    fn a_number_comes_out_as_a_number_and_text_as_text() {
        let variables = Variables {
            values: values(),
            missing: Vec::new(),
            by: "Kustomization a/b".into(),
            is_partial: false,
        };
        let mut value = json!({"a": "${port}", "b": ["${env}", "8080"], "c": 1});
        in_value(&mut value, &variables).unwrap();
        assert_eq!(value, json!({"a": 8080, "b": ["staging", "8080"], "c": 1}));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[${}:=/#a-e^,0-9 é]{0,40}") {
            let _any = in_text(&text, &values());
        }
    }
}
